"""The sandbox PKI for tests: made once a run, real keys, a status service that asks no network."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from asn1crypto import x509

from sandbox.personas import PERSONAS
from sandbox.pki import IssuedCertificate, KeyKind, SandboxPki, build_pki
from signing import tsa
from signing.anchors import TrustedRoots
from signing.certificates import parse_certificate
from signing.evidence import build_ocsp_request
from signing.model import Evidence

AT = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)
BASE_URL = "http://127.0.0.1:8100"


@lru_cache
def _folder() -> TemporaryDirectory[str]:
    """The PKI's folder, kept alive here and removed with the process."""
    return TemporaryDirectory(prefix="gba-trust-test-pki-")


@lru_cache
def pki() -> SandboxPki:
    """The PKI of this test run."""
    return build_pki(Path(_folder().name), BASE_URL, AT - timedelta(days=30))


@lru_cache(maxsize=64)
def holder(authority: str = "hk-rsa", kind: KeyKind | None = None, persona: str = "hk-resident") -> IssuedCertificate:
    """A signing certificate that is made once."""
    return pki().issue(authority, PERSONAS[persona], at=AT, key_kind=kind)


def fresh(authority: str = "hk-rsa", **more: object) -> IssuedCertificate:
    """A signing certificate of the test's own, to revoke or to bend."""
    return pki().issue(authority, PERSONAS["hk-resident"], **{"at": AT, **more})


def roots() -> TrustedRoots:
    """All sandbox CAs as trusted roots."""
    return TrustedRoots(tuple(authority.certificate for authority in pki().authorities.values()))


def crls(at: datetime = AT) -> Evidence:
    """The CRLs of all CAs as of then."""
    return Evidence(crls=tuple(authority.crl(at) for authority in pki().authorities.values()))


def stamp(data: bytes, at: datetime = AT) -> bytes:
    """A time-stamp token over the data, made at that time."""
    digest = hashlib.sha256(data).digest()
    answer = pki().timestamp(tsa.build_request(digest, 4711), at)
    return tsa.read_response(answer, digest, 4711)


class StatusService:
    """The sandbox CAs' status services, asked directly; counts what it was asked."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at
        self.asked: list[int] = []

    async def gather(self, lacking: Iterable[tuple[bytes, bytes]]) -> Evidence:
        """Answer by OCSP, as `EvidenceFetcher` would."""
        answers = []
        for certificate, issuer in lacking:
            self.asked.append(x509.Certificate.load(certificate).serial_number)
            request = build_ocsp_request(parse_certificate(certificate), parse_certificate(issuer))
            authority = next(item for item in pki().authorities.values() if item.certificate == issuer)
            answers.append(authority.ocsp(request, self.at))
        return Evidence(ocsp_responses=tuple(answers))


class LocalTsa:
    """The sandbox TSA behind the client's interface, without network."""

    def __init__(self, at: datetime = AT) -> None:
        self.at = at
        self.count = 0

    async def stamp(self, data: bytes) -> bytes:
        """A token over the data."""
        self.count += 1
        return stamp(data, self.at)

    async def stamp_digest(self, digest: bytes) -> bytes:
        """A token over a SHA-256 digest."""
        self.count += 1
        return tsa.read_response(pki().timestamp(tsa.build_request(digest, 4711), self.at), digest, 4711)
