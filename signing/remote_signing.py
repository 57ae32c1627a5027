"""Signing with a key that lives elsewhere, as this package sees it.

Owns:    the words and Protocols between a signing transaction and a remote signing service. Leaves the wire to whoever implements.
Rules:   `start` is one key operation over the digest of the DER signed attributes, ever; every result is acknowledged, once.
         `signer` and `reference` are opaque here.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SignerCertificates:
    """The signing certificate and what is known of its chain, DER."""

    end_entity: bytes
    chain: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RemoteSigningRequest:
    """One request for one key operation.

    Attributes:
        transaction: our transaction id.
        signer: handle of the citizen's upstream session.
        digest: hash of the DER signed attributes (RFC 5652 sec. 5.4).
        digest_algorithm: `sha256`, `sha384`, `sha512` or `sm3`.
        document_name: shown to the citizen at the upstream.
        service_name: the portal's name, shown there too.
        locale: BCP 47.
    """

    transaction: str
    signer: str
    digest: bytes
    digest_algorithm: str
    document_name: str
    service_name: str
    locale: str


@dataclass(frozen=True, slots=True)
class StartedSigning:
    """The upstream took the request.

    Attributes:
        reference: the upstream's reference; the result comes under it.
        comparison_code: digits that both sides show, or None where the upstream has none.
        approval_url: where the browser must go to approve, or None (push to a phone).
        deadline: the upstream gives up then.
    """

    reference: str
    comparison_code: str | None
    approval_url: str | None
    deadline: datetime


@dataclass(frozen=True, slots=True)
class RemoteSignature:
    """The result as called back: a bare signature value and the certificate it was made with."""

    reference: str
    signature: bytes
    certificate: bytes


class SigningOutcome(StrEnum):
    """What became of a result."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_RECEIVED = "not_received"


class RemoteSigner(Protocol):
    """A remote signing service; implementations arrive from outside (an upstream's connector)."""

    async def certificates(self, signer: str) -> SignerCertificates:
        """Return the citizen's signing certificate.

        Raises:
            RemoteRefused: the citizen has no signing key there.
            RemoteSignerUnavailable: no answer.
        """
        ...

    async def start(self, request: RemoteSigningRequest) -> StartedSigning:
        """Ask for one signature.

        Raises:
            RemoteRefused: the upstream refuses.
            RemoteSignerUnavailable: no answer.
        """
        ...

    async def acknowledge(self, reference: str, outcome: SigningOutcome) -> None:
        """Tell the upstream what became of its result."""
        ...


class SignatureReceiver(Protocol):
    """Where an upstream's callback puts its result; `transactions` implements it."""

    async def complete(self, signature: RemoteSignature) -> None:
        """Take a signature; a repeated call changes nothing."""
        ...

    async def refuse(self, reference: str, code: str) -> None:
        """Take a refusal; a repeated call changes nothing."""
        ...
