"""Fetching revocation data: the edge that ends before validation begins.

Owns:    which addresses are asked for a certificate, within limits; what could not be had is named. Leaves judging to `revocation`.
Rules:   1 only certificates that lead to a trust anchor are asked about: nobody else can choose our addresses
         2 OCSP first, CRL where that fails; no redirects; few fetches; answers go to `validation` unjudged
         3 offline, nothing is asked and everything lacking is named
Spec:    RFC 6960 app. A.1, RFC 5280 sec. 4.2.1.13; RFC 5019 sec. 2.1 (lightweight requests)
"""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Protocol

import httpx
from asn1crypto import keys

from signing.certificates import Certificate, parse_certificate
from signing.cms_builder import oid, tlv
from signing.config import FetchLimits
from signing.errors import CmsMalformed
from signing.http import read_bounded
from signing.model import Evidence

_SHA1 = tlv(0x30, oid("1.3.14.3.2.26"), b"\x05\x00")
Pair = tuple[bytes, bytes]


class EvidenceSource(Protocol):
    """Something that finds revocation data for (certificate, issuer) pairs."""

    async def gather(self, lacking: Iterable[Pair]) -> Evidence:
        """Return what was found; `missing` names the rest."""
        ...


class Offline:
    """Asks nobody."""

    async def gather(self, lacking: Iterable[Pair]) -> Evidence:
        """Name what is lacking."""
        return Evidence(missing=tuple(f"{_name(pair)}: not fetched, offline" for pair in lacking))


class EvidenceFetcher:
    """Asks the status services named in the certificates."""

    def __init__(self, http: httpx.AsyncClient, limits: FetchLimits | None = None) -> None:
        """Take a client that follows no redirects."""
        self._http = http
        self._limits = limits or FetchLimits()

    async def gather(self, lacking: Iterable[Pair]) -> Evidence:
        """Fetch for all pairs at once, within the limits."""
        pairs = list(dict.fromkeys(lacking))
        found = await asyncio.gather(*(self._one(pair) for pair in pairs[: self._limits.max_fetches]))
        result = Evidence(
            missing=tuple(f"{_name(pair)}: too many fetches" for pair in pairs[self._limits.max_fetches :])
        )
        for item in found:
            result = result.joined(item)
        return result

    async def _one(self, pair: Pair) -> Evidence:
        try:
            certificate, issuer = parse_certificate(pair[0]), parse_certificate(pair[1])
        except CmsMalformed:
            return Evidence(missing=("a certificate: unreadable",))
        missing: list[str] = []
        for url in certificate.ocsp_urls:
            answer = await self._fetch("POST", url, build_ocsp_request(certificate, issuer), "application/ocsp-request")
            if answer is not None:
                return Evidence(ocsp_responses=(answer,))
            missing.append(url)
        for url in certificate.crl_urls:
            answer = await self._fetch("GET", url, None, None)
            if answer is not None:
                return Evidence(crls=(answer,))
            missing.append(url)
        return Evidence(missing=tuple(f"{url}: no answer" for url in missing) or (f"{_name(pair)}: no address",))

    async def _fetch(self, method: str, url: str, content: bytes | None, kind: str | None) -> bytes | None:
        headers = {"Content-Type": kind} if kind else None
        try:
            return await read_bounded(self._http, method, url, self._limits, content=content, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return None


def build_ocsp_request(certificate: Certificate, issuer: Certificate) -> bytes:
    """Return an OCSP request for one certificate (CertID with SHA-1, which every responder knows; it protects nothing)."""
    key_bits = keys.PublicKeyInfo.load(issuer.spki)["public_key"].contents[1:]
    serial = tlv(0x02, certificate.serial.to_bytes(certificate.serial.bit_length() // 8 + 1, "big"))
    cert_id = tlv(
        0x30,
        _SHA1,
        tlv(0x04, hashlib.sha1(certificate.issuer, usedforsecurity=False).digest()),
        tlv(0x04, hashlib.sha1(key_bits, usedforsecurity=False).digest()),
        serial,
    )
    return tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x30, cert_id))))


def _name(pair: Pair) -> str:
    try:
        certificate = parse_certificate(pair[0])
    except CmsMalformed:
        return "a certificate"
    return f"revocation data of certificate {certificate.serial:x}"
