"""Client of a time-stamping authority.

Owns:    request, transport within limits, and the first look at the answer. Leaves the token's trust to `validation`, which judges
         every output before it leaves.
Rules:   a fresh nonce each time; the answer must stamp our digest under our nonce, else it is no answer;
         every failure is `tsa_unavailable`, never a lower level.
Spec:    RFC 3161 sec. 2.4 and 3.4
"""

import hashlib
import secrets

import httpx
from asn1crypto import cms, core, tsp

from signing.cms_builder import oid, tlv
from signing.config import FetchLimits
from signing.errors import CmsMalformed, TsaUnavailable
from signing.http import read_bounded
from signing.timestamp import parse_timestamp

_SHA256 = tlv(0x30, oid("2.16.840.1.101.3.4.2.1"), b"\x05\x00")


class _Response(core.Sequence):  # type: ignore[misc]  # asn1crypto is untyped
    """TimeStampResp with its token optional, as RFC 3161 sec. 2.4.2 has it; asn1crypto's own class insists on one."""

    _fields = [  # noqa: RUF012 - asn1crypto's way of declaring
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


class TimestampClient:
    """Gets tokens from one authority."""

    def __init__(self, url: str, http: httpx.AsyncClient, limits: FetchLimits | None = None) -> None:
        """Take the authority's URL and a client that follows no redirects."""
        self._url = url
        self._http = http
        self._limits = limits or FetchLimits()

    async def stamp(self, data: bytes) -> bytes:
        """Return a token over the SHA-256 of `data`.

        Raises:
            TsaUnavailable: no answer, a refusal, or an answer to something else.
        """
        return await self.stamp_digest(hashlib.sha256(data).digest())

    async def stamp_digest(self, digest: bytes) -> bytes:
        """Return a token over a SHA-256 digest; raises as `stamp`."""
        nonce = secrets.randbits(63) | 1 << 62
        headers = {"Content-Type": "application/timestamp-query"}
        try:
            content = await read_bounded(
                self._http, "POST", self._url, self._limits, content=build_request(digest, nonce), headers=headers
            )
        except (httpx.HTTPError, ValueError) as error:
            raise TsaUnavailable("the time-stamping authority does not answer") from error
        return read_response(content, digest, nonce)


def build_request(digest: bytes, nonce: int) -> bytes:
    """Return a TimeStampReq for a SHA-256 digest that asks for the certificate."""
    imprint = tlv(0x30, _SHA256, tlv(0x04, digest))
    encoded_nonce = tlv(0x02, nonce.to_bytes(nonce.bit_length() // 8 + 1, "big"))
    return tlv(0x30, b"\x02\x01\x01", imprint, encoded_nonce, b"\x01\x01\xff")


def read_response(content: bytes, digest: bytes, nonce: int) -> bytes:
    """Return the token of a TimeStampResp that answers our request.

    Raises:
        TsaUnavailable: a rejection, or not the answer to this request.
    """
    try:
        response = _Response.load(content, strict=True)
        granted = response["status"]["status"].native in ("granted", "granted_with_mods")
        token = response["time_stamp_token"].dump() if granted else b""
    except Exception as error:
        raise TsaUnavailable("the time-stamping authority's answer cannot be read") from error
    if not token:
        raise TsaUnavailable("the time-stamping authority refused to stamp")
    try:
        parsed = parse_timestamp(token)
    except CmsMalformed as error:
        raise TsaUnavailable("the time-stamping authority's token cannot be read") from error
    if parsed.imprint_algorithm != "sha256" or parsed.imprint != digest or parsed.nonce != nonce:
        raise TsaUnavailable("the time-stamping authority answered another request")
    return token
