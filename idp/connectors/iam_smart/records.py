"""What the connector remembers of a citizen, and its sealed form.

Owns:    `Grant`, `CitizenSession`, `ProfileContext`, `SigningContext`, `SigningAnswer`, and `Vault` (values to sealed bytes and back).
Rules:   1 every value is sealed for its own purpose: one cannot be read in the place of another
         2 what cannot be opened is treated as not there: the citizen signs in again
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from idp.connectors.iam_smart.cek import from_ms
from idp.connectors.iam_smart.errors import SessionEnded
from idp.connectors.iam_smart.store import SessionRow
from idp.ports import PersonalDataCipher
from idp.upstream import UpstreamIdentity

SIGNING_USER = "sign"
SIGNING_SCOPE = "eidapi_sign"
PROFILE_SCOPE = "eidapi_profiles"


@dataclass(frozen=True, slots=True)
class Grant:
    """What getToken gave."""

    access_token: str = field(repr=False)
    open_id: str = field(repr=False)
    user_type: str
    scopes: tuple[str, ...]
    issued_ms: int
    ends_ms: int

    @property
    def can_sign(self) -> bool:
        """Whether this account and this token may sign; any user type but `sign` may not."""
        return self.user_type == SIGNING_USER and SIGNING_SCOPE in self.scopes


@dataclass(frozen=True, slots=True)
class ProfileContext:
    """What a profile callback needs to become an assertion."""

    grant: Grant
    handle: str
    """Of the session that is opened when the profile comes."""


@dataclass(frozen=True, slots=True)
class CitizenSession:
    """What a signing request needs of a citizen who has signed in."""

    grant: Grant
    card_identifier: str = field(repr=False)
    """Identity card number without its check digit."""
    name_latin: str = field(repr=False)
    certificate: bytes | None = None
    """DER of the certificate that the next signature is expected under."""


@dataclass(frozen=True, slots=True)
class SigningContext:
    """What a signing callback is held against."""

    handle: str
    digest: bytes
    certificate: bytes
    asked_ms: int


@dataclass(frozen=True, slots=True)
class SigningAnswer:
    """A verified signature and its certificate."""

    signature: bytes
    certificate: bytes


class Vault:
    """Seals and opens the records with the service's cipher."""

    def __init__(self, cipher: PersonalDataCipher) -> None:
        self._cipher = cipher

    def seal_profile_context(self, context: ProfileContext) -> bytes:
        """Seal."""
        return self._seal("profile_context", {"grant": asdict(context.grant), "handle": context.handle})

    def open_profile_context(self, sealed: bytes) -> ProfileContext:
        """Open.

        Raises:
            SessionEnded: the bytes are not ours to open.
        """
        members = self._open("profile_context", sealed)
        return ProfileContext(_grant(members["grant"]), members["handle"])

    def seal_identity(self, identity: UpstreamIdentity) -> bytes:
        """Seal."""
        return self._seal("identity", asdict(identity))

    def open_identity(self, sealed: bytes) -> UpstreamIdentity:
        """Open.

        Raises:
            SessionEnded: the bytes are not ours to open.
        """
        return UpstreamIdentity(**self._open("identity", sealed))

    def seal_session(self, handle: str, session: CitizenSession) -> SessionRow:
        """Seal into a row; the session ends with its access token."""
        sealed = self._seal(
            f"session.{handle}",
            {
                "grant": asdict(session.grant),
                "card_identifier": session.card_identifier,
                "name_latin": session.name_latin,
                "certificate": None if session.certificate is None else _text(session.certificate),
            },
        )
        return SessionRow(handle, sealed, from_ms(session.grant.ends_ms))

    def open_session(self, row: SessionRow) -> CitizenSession:
        """Open.

        Raises:
            SessionEnded: the bytes are not ours to open.
        """
        members = self._open(f"session.{row.handle}", row.sealed)
        certificate = members["certificate"]
        return CitizenSession(
            grant=_grant(members["grant"]),
            card_identifier=members["card_identifier"],
            name_latin=members["name_latin"],
            certificate=None if certificate is None else _bytes(certificate),
        )

    def seal_signing_context(self, context: SigningContext) -> bytes:
        """Seal."""
        return self._seal(
            "signing_context",
            {
                "handle": context.handle,
                "digest": _text(context.digest),
                "certificate": _text(context.certificate),
                "asked_ms": context.asked_ms,
            },
        )

    def open_signing_context(self, sealed: bytes) -> SigningContext:
        """Open.

        Raises:
            SessionEnded: the bytes are not ours to open.
        """
        members = self._open("signing_context", sealed)
        return SigningContext(
            handle=members["handle"],
            digest=_bytes(members["digest"]),
            certificate=_bytes(members["certificate"]),
            asked_ms=members["asked_ms"],
        )

    def seal_signing_answer(self, answer: SigningAnswer) -> bytes:
        """Seal."""
        members = {"signature": _text(answer.signature), "certificate": _text(answer.certificate)}
        return self._seal("signing_answer", members)

    def open_signing_answer(self, sealed: bytes) -> SigningAnswer:
        """Open.

        Raises:
            SessionEnded: the bytes are not ours to open.
        """
        members = self._open("signing_answer", sealed)
        return SigningAnswer(_bytes(members["signature"]), _bytes(members["certificate"]))

    def digest_answer(self, code: str, content: Mapping[str, object]) -> str:
        """Return the keyed hash that tells a duplicate of a callback from a contradiction."""
        canonical = json.dumps([code, content], sort_keys=True, separators=(",", ":"))
        return self._cipher.lookup(hashlib.sha256(canonical.encode()).hexdigest(), purpose="iam_smart.answer")

    def _seal(self, kind: str, members: Mapping[str, object]) -> bytes:
        return self._cipher.seal(json.dumps(members).encode(), purpose=f"iam_smart.{kind}")

    def _open(self, kind: str, sealed: bytes) -> dict[str, Any]:
        try:
            members: dict[str, Any] = json.loads(self._cipher.open(sealed, purpose=f"iam_smart.{kind}"))
        except ValueError as error:
            raise SessionEnded from error
        return members


def _grant(members: dict[str, Any]) -> Grant:
    return Grant(**{**members, "scopes": tuple(members["scopes"])})


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
