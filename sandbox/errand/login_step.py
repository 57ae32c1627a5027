"""Steps 2 and 4: the portal sends the citizen to sign in; consent; the portal gets and verifies its tokens.

Owns:    what the citizen does in the browser, and reading the portal's evidence. The portal itself is `sandbox.portal`.
"""

import json
from urllib.parse import urljoin, urlsplit

from sandbox.errand.browser import Page
from sandbox.errand.context import Errand, StepResult, text
from sandbox.errors import ErrandFailed

AT_PORTAL = {"replayed-code", "wrong-pkce"}


async def start_login(errand: Errand) -> tuple[StepResult, Page]:
    """Go from the portal to the upstream and back, until the service asks for the permit.

    Raises:
        ErrandFailed: with the code that the service or the upstream gave.
    """
    tamper = errand.tamper if errand.tamper in AT_PORTAL else None
    started = await errand.send("POST", f"{errand.at.sandbox}/portal/errands", {"tamper": tamper})
    errand.portal_errand = text(started, "errand")
    errand.browser.on_redirect(lambda url: _choose_persona(errand, url))
    page = await errand.browser.open(text(started, "authorize_url"))
    _refuse_error_page(page)
    page = await _choose_upstream(errand, page)
    if not _is_permit(page.url):
        _refuse_error_page(page)
        page = await errand.browser.wait(page, stop=_is_permit)
    if not _is_permit(page.url):
        _refuse_error_page(page)
        raise ErrandFailed(
            "permit_not_asked", f"the login went to {urlsplit(page.url).path} instead of the permit step"
        )
    page = await errand.browser.open(page.url)
    proven = (
        f"{errand.citizen.id} signed in at iAM Smart (signed headers, CEK exchange, server callback for the profile)"
    )
    return StepResult(2, "sign-in", proven, "iAM Smart token and encrypted profile callback"), page


async def finish_login(errand: Errand, onward: str) -> StepResult:
    """Consent, return to the portal, and read what the portal verified.

    Raises:
        ErrandFailed: with the code of the refusal, the portal's included.
    """
    page = await errand.browser.open(onward)
    if page.forms and urlsplit(page.url).netloc == urlsplit(errand.at.service).netloc:
        page = await errand.browser.submit(page, button="agree")
    _refuse_error_page(page)
    evidence = await errand.get(f"{errand.at.sandbox}/portal/errands/{errand.portal_errand}")
    error = evidence.get("error")
    if isinstance(error, dict):
        raise ErrandFailed(str(error.get("code")), str(error.get("detail")))
    verified = evidence.get("verified")
    if not isinstance(verified, dict):
        raise ErrandFailed(
            "portal_without_tokens", f"the portal has no verified token ({page.status} at {urlsplit(page.url).path})"
        )
    errand.facts["tokens"] = verified
    errand.outputs["tokens.json"] = _json(evidence)
    upstream = verified.get("upstream") or {}
    proven = (
        f"the portal verified by python-jose: acr {verified.get('acr')}, upstream {upstream.get('connector')} "
        f"at its own level {upstream.get('level')!r}, pairwise sub, verified_claims with permit and liveness evidence"
    )
    return StepResult(4, "tokens", proven, "ID token (JWT, ES256)")


async def _choose_upstream(errand: Errand, page: Page) -> Page:
    """Take the upstream's row on the login choice page, be it a link or a button."""
    target = f"/login/with/{errand.connector}"
    if f'href="{target}"' in page.html:
        return await errand.browser.open(urljoin(page.url, target), stop=_is_permit)
    return await errand.browser.submit(page, button=errand.connector, stop=_is_permit)


def _choose_persona(errand: Errand, url: str) -> str:
    """Pick the persona at a simulator's login page, as its button would."""
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" == errand.at.sandbox and parts.path.endswith("/auth/getQR"):
        return f"{url}&persona={errand.citizen.id}"
    return url


def _is_permit(url: str) -> bool:
    return urlsplit(url).path == "/permit"


def _refuse_error_page(page: Page) -> None:
    if page.status >= 400:
        code = page.marked.get("error-code") or f"http_{page.status}"
        raise ErrandFailed(
            code, f"{urlsplit(page.url).path} answered {page.status}: {page.marked.get('content', '')[:200]}"
        )


def _json(members: dict[str, object]) -> bytes:
    return json.dumps(members, indent=1, ensure_ascii=False).encode()
