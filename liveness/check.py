"""The permit check: document, then the living person, then the authority, then the attestation.

Owns:    the steps and their order. Leaves each judgement to its module, frames to `live_sessions`, rows to `store`.
Rules:   1 a check is known by an unguessable capability and ends once
         2 a liveness session may be answered once, whatever the answer; the use is committed before anything is judged
         3 the permit authority is asked only about a person who was found alive
         4 readings of frames are erased when the session ends
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta

from liveness import attestation as attestations
from liveness import records
from liveness.authority import HolderQuery, HolderResult, PermitAuthority
from liveness.capture import Capture, CaptureReader
from liveness.config import LivenessConfig
from liveness.decision import decide_holder, decide_liveness
from liveness.documents import check_holder
from liveness.errors import (
    CheckClosed,
    CheckExpired,
    CheckUnknown,
    CodeRefused,
    FrameRefused,
    LivenessRefused,
    LivenessUnavailable,
    SessionExpired,
    SessionRefused,
    SessionReplayed,
    StepOutOfOrder,
    TooManyAttempts,
)
from liveness.face_engine import FaceEngine
from liveness.frame_chain import FrameChain, parse_session_key
from liveness.frames import Frame
from liveness.landmarks import FaceReader
from liveness.live_sessions import LiveSession, LiveSessions
from liveness.model import Answer, Decision, OpenedCheck, PermitCheckRequest, PermitDocument, Verdict
from liveness.outcome import describe, with_query
from liveness.ports import JwtKeys, PersonalDataCipher
from liveness.session import Progress, StartedSession, build_challenge
from liveness.store import CheckRow, CheckState, SessionClaim, Store
from liveness.workers import FaceWorkers
from trust_lists.audit_trail import AuditTrail
from trust_lists.clock import Clock

REVIEW_REQUIRED = "permit_review_required"
_KEPT_AFTER_EXPIRY = timedelta(hours=1)
"""How long an ended check still says that it ended, and a used session that it was used."""


class PermitChecks:
    """The permit checks of this process."""

    def __init__(
        self, config: LivenessConfig, *, store: Store, cipher: PersonalDataCipher, keys: JwtKeys, authority: PermitAuthority,
        engine: FaceEngine, workers: FaceWorkers, audit: AuditTrail, clock: Clock,
    ) -> None:  # fmt: skip
        """Join the parts; nothing is started."""
        self._config, self._store, self._cipher, self._keys = config, store, cipher, keys
        self._authority, self._engine, self._workers = authority, engine, workers
        self._audit, self._clock = audit, clock
        self._sessions = LiveSessions(config.max_live_sessions)

    async def open_check(self, request: PermitCheckRequest) -> OpenedCheck:
        """Open a check for one person in one login."""
        at, check = self._clock(), records.new_capability()
        expires_at = at + self._config.check_lifetime
        await self._store.purge(before_s=int((at - _KEPT_AFTER_EXPIRY).timestamp()))
        await self._store.add_check(
            records.key_of(check), records.seal_request(request, self._cipher),
            created_at_s=int(at.timestamp()), expires_at_s=int(expires_at.timestamp()),
        )  # fmt: skip
        await self._audit.record("permit.opened", correlation=request.transaction)
        return OpenedCheck(check, f"{self._config.public_url}/permit?check={check}", expires_at)

    async def find_request(self, check: str) -> PermitCheckRequest:
        """Return what an open check is about, for its page.

        Raises:
            CheckUnknown: no such check, or it has expired or ended.
        """
        return (await self._load(check))[1]

    async def submit_document(self, check: str, number: str, mrz: Sequence[str]) -> PermitDocument:
        """Take the document that the citizen typed or scanned.

        Raises:
            CheckUnknown: no such check, or it has expired or ended.
            TooManyAttempts: too many tries.
            DocumentRefused: what is wrong with the document.
        """
        row, request = await self._load(check)
        if not await self._store.count_document_attempt(row.check_key, limit=self._config.max_document_attempts):
            raise TooManyAttempts("too many tries at the document")
        try:
            document = check_holder(number, mrz, request, on=self._clock().date())
        except LivenessRefused as refusal:
            await self._audit.record("permit.document", correlation=request.transaction, outcome=refusal.code)
            raise
        await self._store.keep_document(row.check_key, records.seal_document(document, self._cipher))
        await self._audit.record(
            "permit.document", correlation=request.transaction, detail={"type": document.type.value}
        )
        return document

    async def start_session(self, check: str, public_key: Mapping[str, object]) -> StartedSession:
        """Give out a challenge.

        Raises:
            CheckUnknown: no such check, or it has expired or ended.
            StepOutOfOrder: the document comes first.
            RequestMalformed: the key is no public P-256 key.
            TooManyAttempts: none is left.
            Busy: too many sessions at this moment.
        """
        row, request = await self._load(check)
        if row.sealed_document is None:
            raise StepOutOfOrder("the document comes first")
        key, at = parse_session_key(public_key), self._clock()
        challenge = build_challenge(secrets.token_urlsafe(32), at=at, lifetime=self._config.session_lifetime)
        session, config = records.new_capability(), self._config
        live = LiveSession(
            records.key_of(session), row.check_key, challenge, key,
            FrameChain(challenge.nonce, config.frames, config.max_clock_ahead_ms),
            CaptureReader(challenge.actions, thresholds=config.thresholds, limits=config.frames, engine=self._engine),
        )  # fmt: skip
        self._sessions.add(live, at=at)
        started = await self._store.start_session(
            row.check_key,
            live.session_key,
            expires_at_s=int(challenge.expires_at.timestamp()) + 1,
            limit=config.max_attempts,
        )
        if not started:
            self._sessions.end(live.session_key)
            raise TooManyAttempts("no attempt is left")
        await self._audit.record("permit.session", correlation=request.transaction)
        return StartedSession(
            session, challenge, int(config.session_lifetime.total_seconds()), config.frames.max_frames,
            config.frames.max_batch_frames, config.max_attempts - row.attempts - 1,
        )  # fmt: skip

    async def receive_frames(self, session: str, frames: Sequence[Frame]) -> Progress:
        """Take a batch of frames and read them.

        Raises:
            SessionRefused: no such session, or it has expired or was answered.
            FrameRefused: a frame cannot be taken; the session ends.
            Busy: try the same batch again.
        """
        live = await self._live(session)
        async with live.turn:
            elapsed = self._clock() - live.challenge.given_at
            try:
                fresh = live.chain.accept(frames, elapsed_ms=int(elapsed.total_seconds() * 1000))
                self._sessions.remember(live.session_key, [frame.sha256() for frame in fresh])

                def read(faces: FaceReader) -> None:
                    for frame in fresh:
                        live.reader.read(frame, faces)

                await self._workers.run(read)
            except (FrameRefused, SessionReplayed):
                self._sessions.end(live.session_key)
                await self._store.claim_session(live.session_key, at_s=int(self._clock().timestamp()))
                raise
            live.chain.extend(fresh)
            return Progress(len(live.chain.digests), live.reader.performed)

    async def answer(self, session: str, *, frame_count: int, chain_head: bytes, signature: bytes) -> Answer:
        """Judge a session.

        Raises:
            SessionRefused: no such session, or it has expired or was answered.
            FrameChainMismatch: the answer is not about the frames received, or not signed by the session's key.
            LivenessUnavailable: the authority or the workers; the attempt is given back.
        """
        live = await self._live(session)
        async with live.turn:
            # 1 used, from here on, whatever comes.
            self._sessions.end(live.session_key)
            claim = await self._store.claim_session(live.session_key, at_s=int(self._clock().timestamp()))
            if claim is not SessionClaim.CLAIMED:
                raise SessionReplayed("this session was answered before")
            row, request = await self._load_key(live.check_key)
            # 2 the frames received are the frames that the page took.
            try:
                live.chain.verify_answer(live.public_key, count=frame_count, head=chain_head, signature=signature)
            except LivenessRefused as refusal:
                await self._audit.record("permit.judged", correlation=request.transaction, outcome=refusal.code)
                raise
            try:
                # 3 a living person did what was asked.
                capture = await self._workers.run(lambda _: live.reader.finish())
                verdict, result = decide_liveness(capture.evidence, self._config), None
                # 4 it is the holder.
                if verdict.decision is Decision.PASS:
                    result = await self._ask_authority(row, request, capture)
                    verdict = decide_holder(result)
            except LivenessUnavailable:
                await self._store.refund_attempt(row.check_key)
                raise
            # 5 the outcome, in one transaction.
            return await self._conclude(row, request, verdict, result)

    async def redeem(self, code: str) -> str:
        """Return the attestation of a one-time code.

        Raises:
            CodeRefused: unknown, used, or over.
        """
        sealed = await self._store.redeem(records.key_of(code), at_s=int(self._clock().timestamp()))
        if sealed is None:
            raise CodeRefused("the permit code is unknown, used or expired")
        return self._cipher.open(sealed, purpose=records.TOKEN_PURPOSE).decode()

    async def _ask_authority(self, row: CheckRow, request: PermitCheckRequest, capture: Capture) -> HolderResult:
        if row.sealed_document is None or capture.best_frame is None:
            raise StepOutOfOrder("the document comes first")
        document = records.open_document(row.sealed_document, self._cipher)
        if document.birthdate is None:
            raise StepOutOfOrder("the document has no birth date")
        return await self._authority.verify_holder(
            HolderQuery(
                records.new_capability(), document.type, document.number, request.name_latin, request.name_chinese,
                document.birthdate, capture.best_frame,
            )
        )  # fmt: skip

    async def _conclude(
        self, row: CheckRow, request: PermitCheckRequest, verdict: Verdict, result: HolderResult | None
    ) -> Answer:
        left = max(0, self._config.max_attempts - row.attempts)
        onward: str | None = None
        if verdict.decision is Decision.PASS and result is not None:
            onward = await self._attest(row, request, result)
        elif verdict.decision is Decision.REVIEW:
            await self._store.close_check(row.check_key, CheckState.REVIEW)
            onward, left = with_query(request.return_uri, permit_error=REVIEW_REQUIRED), 0
        elif left == 0:
            await self._store.close_check(row.check_key, CheckState.FAILED)
            onward = with_query(request.return_uri, permit_error=verdict.reasons[0].value)
        outcome = "ok" if verdict.decision is Decision.PASS else verdict.reasons[0].value
        await self._audit.record(
            "permit.judged", correlation=request.transaction, outcome=outcome,
            detail={"decision": verdict.decision.value, "model_set": self._engine.model_set},
        )  # fmt: skip
        return Answer(verdict.decision, verdict.reasons, onward, left)

    async def _attest(self, row: CheckRow, request: PermitCheckRequest, result: HolderResult) -> str:
        """Issue the attestation, keep it under a one-time code, return where the browser goes."""
        at, code = self._clock(), records.new_capability()
        document = records.open_document(row.sealed_document or b"", self._cipher)
        reference = self._cipher.lookup(document.number, purpose=records.REFERENCE_PURPOSE)
        token = attestations.issue(
            describe(
                self._config, request, document, result, reference=reference, model_set=self._engine.model_set, at=at
            ),
            audience=self._config.audience,
            key=self._keys.current(),
        )
        # What we issue passes our own gate first.
        attestations.verify(
            token, self._keys.published(), issuer=self._config.issuer, audience=self._config.audience,
            transaction=request.transaction, subject=request.subject, at=at,
        )  # fmt: skip
        passed = await self._store.pass_check(
            row.check_key, records.key_of(code), self._cipher.seal(token.encode(), purpose=records.TOKEN_PURPOSE),
            expires_at_s=int((at + self._config.code_lifetime).timestamp()),
        )  # fmt: skip
        if not passed:
            raise CheckClosed("this permit check has ended")
        return with_query(request.return_uri, permit_code=code)

    async def _load(self, check: str) -> tuple[CheckRow, PermitCheckRequest]:
        return await self._load_key(records.key_of(check))

    async def _load_key(self, check_key: str) -> tuple[CheckRow, PermitCheckRequest]:
        row = await self._store.find_check(check_key)
        if row is None:
            raise CheckUnknown("there is no such permit check")
        if row.state is not CheckState.OPEN:
            raise CheckClosed("this permit check has ended")
        if row.expires_at_s <= self._clock().timestamp():
            raise CheckExpired("the permit check's time is over: start again at the portal")
        return row, records.open_request(row.sealed_request, self._cipher)

    async def _live(self, session: str) -> LiveSession:
        session_key = records.key_of(session)
        live = self._sessions.find(session_key)
        if live is None:
            if await self._store.is_answered(session_key):
                raise SessionReplayed("this session was answered before")
            raise SessionRefused("there is no such liveness session")
        if live.challenge.expires_at <= self._clock():
            self._sessions.end(session_key)
            raise SessionExpired("the session's time is over: start again")
        return live
