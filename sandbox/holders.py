"""The signing certificates of the simulated citizens, as their CA's device holds them.

Owns:    `CitizenKeys` (the simulated upstreams' `SigningKeys`) and `/holders`: revoke and renew, for the errand and for portal teams.
Leaves:  certificates and revocation to `pki`.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.personas import PERSONAS, Persona
from sandbox.pki import SandboxPki
from trust_lists.clock import Clock
from trust_lists.vocabulary import Region

AUTHORITY_OF = {Region.HK: "hk-rsa", Region.MO: "mo-p256", Region.GD: "gd-rsa"}


class CitizenKeys:
    """Signs with a persona's own key after the persona approved."""

    def __init__(self, pki: SandboxPki, clock: Clock) -> None:
        self._pki = pki
        self._clock = clock

    def sign_digest(self, persona: Persona, digest: bytes) -> tuple[bytes, bytes]:
        """Return the signature over a SHA-256 digest and the certificate's DER."""
        held = self._pki.holder_certificate(AUTHORITY_OF[persona.region], persona, self._clock())
        return held.private_key.sign_digest(digest), held.certificate

    def revoke(self, persona: Persona) -> str:
        """Revoke the persona's present certificate; return its serial number in hexadecimal."""
        held = self._pki.holder_certificate(AUTHORITY_OF[persona.region], persona, self._clock())
        self._pki.revoke(held.serial, self._clock(), "key_compromise")
        return f"{held.serial:x}"

    def renew(self, persona: Persona) -> str:
        """Give the persona a new key and certificate; return its serial number in hexadecimal."""
        return f"{self._pki.renew_holder(AUTHORITY_OF[persona.region], persona, self._clock()).serial:x}"

    def publish_all(self) -> None:
        """Make sure that every persona who can sign has a certificate in the CA's public repository."""
        for persona in PERSONAS.values():
            if persona.upstream_level in ("sign", "L3") or persona.region is Region.MO:
                self._pki.holder_certificate(AUTHORITY_OF[persona.region], persona, self._clock())


def build_holder_routes(keys: CitizenKeys) -> list[BaseRoute]:
    """Return `POST /holders/{persona}/revoke` and `/renew`."""

    async def revoke(request: Request) -> Response:
        persona = PERSONAS.get(request.path_params["persona"])
        return _unknown() if persona is None else JSONResponse({"revoked": keys.revoke(persona)})

    async def renew(request: Request) -> Response:
        persona = PERSONAS.get(request.path_params["persona"])
        return _unknown() if persona is None else JSONResponse({"serial": keys.renew(persona)})

    return [
        Route("/holders/{persona}/revoke", revoke, methods=["POST"]),
        Route("/holders/{persona}/renew", renew, methods=["POST"]),
    ]


def _unknown() -> Response:
    return JSONResponse({"code": "persona_unknown", "detail": "no such persona"}, 404)
