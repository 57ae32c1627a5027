"""What a profile callback does: it settles the login's request with a person, or with a refusal.

Owns:    the `ResultHandler` of profiles. Leaves correlation to `callbacks` and the assertion to `connector`.
Rules:   the citizen's session, which signing needs, is written in the same transaction as the settled request.
"""

from starlette.background import BackgroundTask

from idp.connectors.iam_smart.callbacks import Answer
from idp.connectors.iam_smart.errors import ContentMalformed
from idp.connectors.iam_smart.profile import parse_profile
from idp.connectors.iam_smart.records import CitizenSession, Vault
from idp.connectors.iam_smart.store import IamSmartStore, PendingRequest, PendingStatus, Settlement


class ProfileResults:
    """Settles profile requests."""

    def __init__(self, store: IamSmartStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def settle(self, pending: PendingRequest, answer: Answer) -> PendingRequest | None:
        """Settle with the person of the content, or with the code of the refusal."""
        return await self._store.settle_pending(pending.reference, self._judge(pending, answer))

    async def deliver(self, pending: PendingRequest) -> BackgroundTask | None:
        """Nothing to hand on: the broker asks for the result itself."""
        return None

    def _judge(self, pending: PendingRequest, answer: Answer) -> Settlement:
        if not answer.success:
            return Settlement(PendingStatus.REFUSED, outcome=answer.code, answer_digest=answer.digest)
        context = self._vault.open_profile_context(pending.sealed_context)
        try:
            identity = parse_profile(answer.content)
            # Where the content names its holder, it must be the one whose token we asked with.
            if answer.content.get("openID", context.grant.open_id) != context.grant.open_id:
                raise ContentMalformed
        except ContentMalformed as refusal:
            return Settlement(PendingStatus.REFUSED, outcome=refusal.code, answer_digest=answer.digest)
        session = CitizenSession(context.grant, identity.document_number[:-1], identity.name_latin)
        return Settlement(
            PendingStatus.ANSWERED,
            sealed_answer=self._vault.seal_identity(identity),
            answer_digest=answer.digest,
            session=self._vault.seal_session(context.handle, session) if context.grant.can_sign else None,
        )
