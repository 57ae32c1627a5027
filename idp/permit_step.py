"""The permit step: send the person to the permit check, and take back what it proved.

Owns:    the request to the check, and the binding of its attestation to this login and this person.
Leaves:  the check to `liveness`, the order to `login`.
Rules:   1 the attestation must name this very transaction and this very person, under the permit check's key
         2 a refusal of the check is kept with its code; whether it ends the login is the dispatcher's to say
         3 the subject under which the check knows a person is a keyed hash that no portal sees
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import Response

from idp.browser import Visit, choose_locale, redirect
from idp.errors import PermitStepUnavailable
from idp.identity import permit_subject
from idp.login import Login
from idp.login_desk import LoginDesk
from idp.model import PermitEvidence, PermitStep, SignIn
from idp.page_errors import LoginNotYours, LoginStepRepeated
from idp.permit_attestations import accept_attestation
from idp.upstream_steps import Outcome
from liveness.errors import LivenessRefused, LivenessUnavailable
from liveness.model import DocumentType, PermitCheckRequest
from trust_lists.vocabulary import Region

_RESIDENTS = (
    DocumentType.MAINLAND_TRAVEL_PERMIT,
    DocumentType.MAINLAND_TRAVEL_PERMIT_NON_CHINESE,
    DocumentType.RESIDENCE_PERMIT,
)
ACCEPTED_DOCUMENTS: Mapping[Region, tuple[DocumentType, ...]] = {
    Region.HK: _RESIDENTS,
    Region.MO: _RESIDENTS,
    Region.GD: (DocumentType.EXIT_ENTRY_PERMIT,),
}
_CODE = re.compile(r"[A-Za-z0-9_]{1,64}")


async def open_permit_check(desk: LoginDesk, visit: Visit, login: Login, sign_in: SignIn) -> Response:
    """Open a check and send the browser there.

    Raises:
        PermitStepUnavailable: the check cannot be opened now.
    """
    deps = desk.deps
    identity = await deps.store.load_identity(sign_in.person, sign_in.connector)
    if deps.permit_checks is None or identity is None:
        raise PermitStepUnavailable
    request = PermitCheckRequest(
        transaction=login.transaction.id,
        subject=permit_subject(deps.cipher, sign_in.person),
        return_uri=f"{deps.config.issuer}/callback/permit",
        name_latin=identity.name_latin,
        name_chinese=identity.name_chinese,
        birthdate=identity.birthdate,
        region=sign_in.region,
        locale=choose_locale(visit.request, login.transaction.request.ui_locales),
        accepted_documents=ACCEPTED_DOCUMENTS[sign_in.region],
    )
    try:
        opened = await deps.permit_checks.open_check(request)
    except LivenessUnavailable as error:
        raise PermitStepUnavailable from error
    await desk.keep(visit, login, replace(login.transaction, permit=PermitStep(sign_in.person)))
    await desk.record(login, "login.permit_opened")
    return redirect(opened.url)


async def take_permit_return(
    desk: LoginDesk, visit: Visit, login: Login, *, code: str | None, refusal: str | None
) -> Outcome:
    """Take the browser's return from the permit check.

    Raises:
        LoginNotYours: this login did not send this person there.
        PermitStepUnavailable: the check cannot be asked now.
    """
    step, sign_in = login.transaction.permit, login.sign_in
    if step is None or sign_in is None or step.person != sign_in.person or (code is None and refusal is None):
        await desk.record(login, "login.return_refused", outcome=LoginNotYours.code, connector="permit")
        raise LoginNotYours
    if step.done or step.refusal is not None:
        return login  # a reload of the same return
    if code is None:
        return await _refused(desk, visit, login, step, refusal or "")
    try:
        evidence = await _redeem(desk, visit, login, sign_in, code)
    except LivenessRefused as error:
        return await _refused(desk, visit, login, step, error.code)
    except LivenessUnavailable as error:
        raise PermitStepUnavailable from error
    transaction = replace(login.transaction, permit=replace(step, done=True))
    proved = replace(sign_in, permit=evidence)
    if not await desk.deps.store.save_permit(transaction, proved, handle_hash=visit.handle_hash):
        raise LoginStepRepeated
    await desk.record(login, "login.permit_verified", attestation=evidence.attestation, document=evidence.document_type)
    return replace(login, transaction=replace(transaction, version=transaction.version + 1), sign_in=proved)


async def _redeem(desk: LoginDesk, visit: Visit, login: Login, sign_in: SignIn, code: str) -> PermitEvidence:
    deps = desk.deps
    if deps.permit_checks is None or deps.permit_keys is None:
        raise PermitStepUnavailable
    return accept_attestation(
        await deps.permit_checks.redeem(code),
        deps.permit_keys.published(),
        issuer=deps.config.attestation_issuer,
        audience=deps.config.issuer,
        transaction=login.transaction.id,
        subject=permit_subject(deps.cipher, sign_in.person),
        person=sign_in.person,
        at=visit.at,
    )


async def _refused(desk: LoginDesk, visit: Visit, login: Login, step: PermitStep, code: str) -> Login:
    known = code if _CODE.fullmatch(code) else "permit_refused"
    login = await desk.keep(visit, login, replace(login.transaction, permit=replace(step, refusal=known)))
    await desk.record(login, "login.permit_refused", outcome=known)
    return login
