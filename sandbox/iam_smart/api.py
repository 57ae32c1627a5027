"""The calls of iAM Smart, answered: getKey, revokeKey, getToken, profile, signing, acknowledgement.

Owns:    the order of checks of a call and the rules of each request. Leaves memory to `ledger`, the person to `approvals`.
Rules:   1 headers, client, signature over the exact bytes, then timestamp and nonce, before a byte of the body is understood
         2 every call but the key calls is encrypted both ways under the client's content key
         3 a refusal is an envelope with its code, in clear and with HTTP 200 (that status is *assumed*)
Spec:    fact sheet upstreams.md §1.1 to §1.5.
"""

import asyncio
import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from sandbox.iam_smart import faults, wire
from sandbox.iam_smart.approvals import CLOCK_FAULT, ApprovalDesk
from sandbox.iam_smart.calls import Call, Content, envelope, parse_content, read_body
from sandbox.iam_smart.codes import CallRefused, Place, place_of
from sandbox.iam_smart.courier import encode_content
from sandbox.iam_smart.holders import PROFILE_FIELDS, card_identifier, open_id, profile_of, user_type
from sandbox.iam_smart.ledger import KEY_LIFE, TOKEN_LIFE, IssuedToken, Ledger
from sandbox.iam_smart.registry import Registry, RelyingParty
from sandbox.state import SandboxState
from trust_lists.clock import Clock

SOURCES = frozenset(
    {"PC_Browser", "App_Link", "App_Package", "App_Scheme"}
    | {f"Android_{name}" for name in ("Chrome", "Firefox", "Edge", "Samsung", "Huawei", "Xiaomi", "IMS_InAppBrowser")}
    | {f"iOS_{name}" for name in ("Safari", "Chrome", "Firefox", "Edge", "IMS_InAppBrowser")}
)
ACK_RESULTS = frozenset({"SR001", "SR002", "SR003"})
_LENGTHS = {"department": 100, "serviceName": 255, "documentName": 255}
_SIGN_ALGORITHMS = frozenset({"SHA256withRSA", "NONEwithRSA"})

Handler = Callable[["Call"], "Mapping[str, object]"]


class IamSmartApi:
    """The service behind `/api/v1`, without the browser pages."""

    def __init__(
        self,
        *,
        registry: Registry,
        ledger: Ledger,
        desk: ApprovalDesk,
        state: SandboxState,
        clock: Clock,
        pairwise_key: bytes,
        slow_s: float,
    ) -> None:
        self._registry = registry
        self._ledger = ledger
        self._desk = desk
        self._state = state
        self._clock = clock
        self._pairwise_key = pairwise_key
        self._slow_s = slow_s

    async def hold_up(self) -> Response | None:
        """Apply the faults that hit every address; a response ends the request."""
        if self._state.take(faults.CONNECTOR, faults.DEAD):
            return PlainTextResponse("simulated: the upstream is down", status_code=503)
        if self._state.take(faults.CONNECTOR, faults.SLOW):
            await asyncio.sleep(self._slow_s)
        return None

    async def get_key(self, request: Request) -> Response:
        """Answer `security/getKey`: the content key wrapped under the client's certificate, in clear."""
        return await self._answer(request, self._get_key, encrypted=False)

    async def revoke_key(self, request: Request) -> Response:
        """Answer `security/revokeKey`: the content key ends."""
        return await self._answer(request, self._revoke_key, encrypted=False)

    def endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return the encrypted endpoint that answers with `handler`."""

        async def answer(request: Request) -> Response:
            return await self._answer(request, handler, encrypted=True)

        return answer

    async def _answer(self, request: Request, handler: Handler, *, encrypted: bool) -> Response:
        held_up = await self.hold_up()
        if held_up is not None:
            return held_up
        body = await read_body(request)
        if body is None:
            return PlainTextResponse("too large", status_code=413)
        try:
            party = self._authenticate(request, body)
            if not encrypted:
                return envelope("D00000", handler(Call(party, {}, self._clock())))
            key = self._content_key(party)
            call = Call(party, parse_content(key, body), self._clock())
            self._refuse_if_injected(handler)
            return envelope("D00000", wire.seal_content(key, encode_content(self._state, handler(call))))
        except CallRefused as refusal:
            return envelope(refusal.code, None)

    def _authenticate(self, request: Request, body: bytes) -> RelyingParty:
        headers = wire.read_headers(request.headers)
        party = self._registry.find(headers.client_id)
        if party is None:
            raise CallRefused("D20102")
        wire.check_signature(headers, body, party.client_secret)
        self._ledger.note_call(headers.client_id, headers.timestamp_ms, headers.nonce)
        return party

    def _content_key(self, party: RelyingParty) -> bytes:
        if self._state.take(faults.CONNECTOR, faults.EXPIRED_CEK):
            self._ledger.revoke_key(party.client_id)
        return self._ledger.held_key(party.client_id, self._clock())

    def _refuse_if_injected(self, handler: Handler) -> None:
        code = faults.injected_code(self._state)
        if code is None:
            return
        place = place_of(code)
        if place is Place.REPLY or (place is Place.SIGNING_REPLY and handler == self.initiate_signing):
            self._state.take(faults.CONNECTOR, f"code:{code}")
            raise CallRefused(code)

    def _told_ms(self, at: datetime) -> int:
        """The time as this service tells it: with the fault, two days behind."""
        skew = CLOCK_FAULT if self._state.active(faults.CONNECTOR, faults.CLOCK_SKEW) else None
        return int((at if skew is None else at - skew).timestamp() * 1000)

    def _get_key(self, call: Call) -> Content:
        held = self._ledger.issue_key(call.party.client_id, call.at)
        kek = call.party.kek()
        spki = kek.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {
            "secretKey": wire.wrap_key(kek, held.key, call.party.padding),
            "pubKey": base64.b64encode(spki).decode(),
            "issueAt": self._told_ms(held.issued_at),
            "expiresIn": int(KEY_LIFE.total_seconds() * 1000),
        }

    def _revoke_key(self, call: Call) -> Content:
        self._ledger.revoke_key(call.party.client_id)
        return {}

    def get_token(self, call: Call) -> Content:
        """Answer `auth/getToken`: a code for a token and the pairwise openID."""
        if call.text("grantType") != "authorization_code":
            raise CallRefused("D20003")
        code = self._ledger.redeem_code(call.text("code"), call.party.client_id, call.at)
        if self._state.take(faults.CONNECTOR, faults.LATE_CODE):
            raise CallRefused("D40004")
        identifier = open_id(self._pairwise_key, call.party.client_id, code.persona)
        token = IssuedToken(call.party.client_id, code.persona, identifier, code.scopes, call.at + TOKEN_LIFE)
        return {
            "accessToken": self._ledger.issue_token(token),
            "tokenType": "Bearer",
            "issueAt": self._told_ms(call.at),
            "expiresIn": int(TOKEN_LIFE.total_seconds() * 1000),
            "openID": identifier,
            "lastModifiedDate": 1_700_000_000_000,
            "userType": user_type(code.persona),
            "scope": " ".join(sorted(code.scopes)),
        }

    def initiate_profile(self, call: Call) -> Content:
        """Answer `account/auth/profile/initiateRequest`: ask the person on the phone; the result is called back."""
        token = self._common(call, "profile", "eidapi_profiles")
        fields = call.content.get("profileFields")
        if not isinstance(fields, list) or not fields or not all(field in PROFILE_FIELDS for field in fields):
            raise CallRefused("D20003")
        self._ledger.note_business_id(call.party.client_id, call.text("businessID"))
        self._desk.ask(
            "profile",
            call.party,
            token.persona,
            business_id=call.text("businessID"),
            state=call.text("state"),
            asked=profile_of(token.persona, frozenset(fields)),
        )
        return self._by_qr_or_ticket(call)

    def initiate_signing(self, call: Call) -> Content:
        """Answer `account/signing/initiateRequest`: show the code on the phone; the signature is called back."""
        token = self._common(call, "signing", "eidapi_sign")
        for name, limit in _LENGTHS.items():
            if len(call.text(name)) > limit:
                raise CallRefused("D20003")
        hash_code = call.text("hashCode")
        _check_hash_code(hash_code)
        algorithm = call.content.get("sigAlgo", "SHA256withRSA")
        if algorithm not in _SIGN_ALGORITHMS:
            raise CallRefused("D20003")
        if user_type(token.persona) != "sign":
            raise CallRefused("D70004")
        if call.text("HKICHash") != wire.holder_hash(card_identifier(token.persona)):
            raise CallRefused("D70005")
        # Last: a request that is refused does not use up its business id.
        self._ledger.note_business_id(call.party.client_id, call.text("businessID"))
        self._desk.ask(
            "signing",
            call.party,
            token.persona,
            business_id=call.text("businessID"),
            state=call.text("state"),
            asked={"hashCode": hash_code, "sigAlgo": algorithm},
            identification_code=wire.phone_code(hash_code, token.open_id),
            document_name=call.text("documentName"),
            service_name=call.text("serviceName"),
        )
        return self._by_qr_or_ticket(call)

    def acknowledge(self, call: Call) -> Content:
        """Answer `account/signing/ackResult`: keep what the relying party made of the signature."""
        result = call.text("signingResult")
        if result not in ACK_RESULTS:
            raise CallRefused("D20003")
        approval = self._desk.find_by_business_id(call.party.client_id, call.text("businessID"))
        if approval is None or approval.kind != "signing":
            raise CallRefused("D70006")
        approval.acknowledged = result
        return {}

    def _common(self, call: Call, kind: str, scope: str) -> IssuedToken:
        """Check the fields that every account request carries (§1.3)."""
        token = self._ledger.check_token(call.text("accessToken"), call.text("openID"), call.party.client_id, call.at)
        if scope not in token.scopes:
            raise CallRefused("D20015")
        if call.text("source") not in SOURCES:
            raise CallRefused("D20007")
        if call.text("redirectURI") not in call.party.redirect_uris or kind not in call.party.callback_urls:
            raise CallRefused("D20008")
        if len(call.text("state")) > 36:
            raise CallRefused("D20003")
        return token

    def _by_qr_or_ticket(self, call: Call) -> Content:
        """A person at a computer gets a push on the phone; a person on the phone gets a ticket to open the app with."""
        by_qr = call.text("source") == "PC_Browser"
        return {"authByQR": True} if by_qr else {"authByQR": False, "ticketID": secrets.token_hex(16)}


def _check_hash_code(hash_code: str) -> None:
    try:
        digest = base64.b64decode(hash_code, validate=True)
    except ValueError as error:
        raise CallRefused("D20003") from error
    if len(digest) != 32:
        raise CallRefused("D20003")
