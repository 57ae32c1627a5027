"""The simulated phone: requests that wait for the person, and what happens when they decide.

Owns:    `Approval`, `ApprovalDesk`. Leaves the pages to `phone` and the sending to `courier`.
Rules:   1 a signing request shows the identification code that this side computes by itself
         2 automatic mode approves after the set delay; interactive mode waits for the person, at most 18 minutes
         3 one decision per request; the result is called back in a background task that ends with the app
         4 a signature is made only after approval, with the person's own key, over exactly the digest that was sent
Spec:    fact sheet upstreams.md §1.2 (18 minutes), §1.4 (signing). That NONEwithRSA means PKCS #1 v1.5 over a
         prehashed SHA-256 digest is *assumed*.
"""

import asyncio
import base64
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from sandbox.iam_smart import faults
from sandbox.iam_smart.codes import Place, place_of
from sandbox.iam_smart.courier import Courier
from sandbox.iam_smart.registry import RelyingParty
from sandbox.personas import Persona
from sandbox.state import Mode, SandboxState
from trust_lists.clock import Clock

PATIENCE = timedelta(minutes=18)
KEPT_APPROVALS = 500
CLOCK_FAULT = timedelta(days=2)


class SigningKeys(Protocol):
    """The persons' signing keys, as a recognised CA's device would hold them."""

    def sign_digest(self, persona: Persona, digest: bytes) -> tuple[bytes, bytes]:
        """Sign a SHA-256 digest by RSA PKCS #1 v1.5; return the signature and the certificate's DER."""
        ...


class Status(StrEnum):
    """Where a request on the phone stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"


@dataclass(slots=True)
class Approval:
    """One request on the phone."""

    id: str
    kind: str
    """`profile` or `signing`; also the kind of the callback address."""
    party: RelyingParty
    persona: Persona
    business_id: str
    state: str
    asked: Mapping[str, object]
    """The result's content apart from businessID and state (profile), or what is to be signed (signing)."""
    created_at: datetime
    identification_code: str | None = None
    document_name: str = ""
    service_name: str = ""
    status: Status = Status.WAITING
    acknowledged: str | None = None
    """The SR code by which the relying party acknowledged the signature."""
    decided: asyncio.Event = field(default_factory=asyncio.Event)


_REFUSED_CODES = {"profile": "D50001", "signing": "D70001"}
_TIMEOUT_CODES = {"profile": "D50003", "signing": "D70003"}
_FAILED_CODES = {"profile": "D50002", "signing": "D70002"}
_INJECTED_PLACES = {"profile": Place.PROFILE_CALLBACK, "signing": Place.SIGNING_CALLBACK}


class ApprovalDesk:
    """Keeps the requests on the phone and carries each to its end."""

    def __init__(
        self, courier: Courier, state: SandboxState, clock: Clock, keys: SigningKeys, *, patience: timedelta = PATIENCE
    ) -> None:
        self._courier = courier
        self._state = state
        self._clock = clock
        self._keys = keys
        self._patience = patience
        self._approvals: OrderedDict[str, Approval] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(
        self,
        kind: str,
        party: RelyingParty,
        persona: Persona,
        *,
        business_id: str,
        state: str,
        asked: Mapping[str, object],
        identification_code: str | None = None,
        document_name: str = "",
        service_name: str = "",
    ) -> Approval:
        """Put a request on the phone; from now on it runs by itself."""
        approval = Approval(
            id=secrets.token_urlsafe(12),
            kind=kind,
            party=party,
            persona=persona,
            business_id=business_id,
            state=state,
            asked=asked,
            created_at=self._clock(),
            identification_code=identification_code,
            document_name=document_name,
            service_name=service_name,
        )
        self._approvals[approval.id] = approval
        while len(self._approvals) > KEPT_APPROVALS:
            self._approvals.popitem(last=False)
        self._spawn(self._carry(approval))
        return approval

    def listing(self) -> tuple[Approval, ...]:
        """Return the requests, newest first."""
        return tuple(reversed(self._approvals.values()))

    def find_by_business_id(self, client_id: str, business_id: str) -> Approval | None:
        """Return the client's request with this business id, or None."""
        return next(
            (a for a in self.listing() if a.party.client_id == client_id and a.business_id == business_id), None
        )

    def decide(self, approval_id: str, *, approve: bool) -> Approval | None:
        """Take the person's decision; a second one changes nothing. None when there is no such request."""
        approval = self._approvals.get(approval_id)
        if approval is not None and approval.status is Status.WAITING:
            approval.status = Status.APPROVED if approve else Status.REFUSED
            approval.decided.set()
        return approval

    async def close(self) -> None:
        """End every background task."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, approval: Approval) -> None:
        if self._state.mode is Mode.AUTOMATIC:
            await asyncio.sleep(self._state.approval_delay_s)
            self.decide(approval.id, approve=True)
        try:
            await asyncio.wait_for(approval.decided.wait(), self._patience.total_seconds())
        except TimeoutError:
            approval.status = Status.TIMED_OUT
        code, result = self._result(approval)
        content = {"businessID": approval.business_id, "state": approval.state, **result}
        await self._courier.deliver(approval.party, approval.kind, code, content)

    def _result(self, approval: Approval) -> tuple[str, Mapping[str, object]]:
        injected = faults.injected_code(self._state)
        if injected is not None and place_of(injected) is _INJECTED_PLACES[approval.kind]:
            self._state.take(faults.CONNECTOR, f"code:{injected}")
            return injected, {}
        if approval.status is Status.REFUSED:
            return _REFUSED_CODES[approval.kind], {}
        if approval.status is Status.TIMED_OUT:
            return _TIMEOUT_CODES[approval.kind], {}
        if approval.kind == "profile":
            return "D00000", approval.asked
        try:
            return "D00000", self._sign(approval)
        except Exception:  # noqa: BLE001 - whatever the key device says, the phone reports a failed signing
            return _FAILED_CODES[approval.kind], {}

    def _sign(self, approval: Approval) -> dict[str, object]:
        hash_code = str(approval.asked["hashCode"])
        digest = base64.b64decode(hash_code)
        if approval.asked["sigAlgo"] == "SHA256withRSA":
            digest = hashlib.sha256(digest).digest()
        if self._state.take(faults.CONNECTOR, faults.WRONG_SIGNATURE):
            digest = hashlib.sha256(b"another document" + digest).digest()
        signature, certificate = self._keys.sign_digest(approval.persona, digest)
        signed_at = self._clock()
        if self._state.active(faults.CONNECTOR, faults.CLOCK_SKEW):
            signed_at -= CLOCK_FAULT
        return {
            "hashCode": hash_code,
            "timestamp": int(signed_at.timestamp() * 1000),
            "signature": base64.b64encode(signature).decode(),
            "cert": base64.b64encode(certificate).decode(),
        }
