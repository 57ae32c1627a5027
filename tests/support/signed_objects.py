"""Every door that reads a signed object from a caller, as one function each, so that one attack is tried at all of them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.config import IdpConfig
from idp.errors import IdpRefused, InvalidClient, InvalidDpopProof, InvalidRequestObject, InvalidSoftwareStatement
from idp.parameters import Parameters
from idp.proof.client_authentication import read_presented_client, verify_client
from idp.proof.dpop import verify_proof
from idp.proof.request_objects import open_request_object
from idp.proof.software_statements import verify_software_statement
from idp.protocol import CLIENT_ASSERTION_TYPE
from idp.relying_parties import parse_registration
from tests.support.dpop import segment, signed
from tests.support.idp import AT, ISSUER

NOW = int(AT.timestamp())
EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "sig"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig"})
PUBLIC = {"keys": [key.as_dict(private=False) for key in (EC, RSA, ED)]}
DIRECTORY = "https://directory.test"
CONFIG = IdpConfig(issuer=ISSUER, software_statement_issuers=((DIRECTORY, json.dumps(PUBLIC)),))
PARTY = parse_registration(
    {"client_name": "Bank", "redirect_uris": ["https://bank.test/cb"], "gba_region": "gd", "jwks": PUBLIC},
    client_id="bank",
)


@dataclass(frozen=True)
class Door:
    """A door: how it is entered, what is good there, and how it refuses."""

    name: str
    enter: Callable[[str], Any]
    header: dict[str, Any]
    claims: dict[str, Any]
    refusal: type[IdpRefused]

    def good(self) -> str:
        return signed(EC, self.header, self.claims)


def _assertion(text: str) -> Any:
    values = {"client_assertion": text, "client_assertion_type": CLIENT_ASSERTION_TYPE}
    presented = read_presented_client(Parameters(MappingProxyType(values), frozenset()), None)
    return verify_client(presented, PARTY, CONFIG, at=AT)


def _proof(text: str) -> Any:
    return verify_proof([text], method="POST", url=f"{ISSUER}/token", at=AT, config=CONFIG)


HEAD = {"alg": "ES256", "kid": "ec", "typ": "JWT"}
ASSERTION = Door(
    "client assertion", _assertion, HEAD,
    {"iss": "bank", "sub": "bank", "aud": ISSUER, "jti": "j", "iat": NOW, "exp": NOW + 60}, InvalidClient,
)  # fmt: skip
REQUEST_OBJECT = Door(
    "request object", lambda text: open_request_object(text, PARTY, CONFIG, at=AT), HEAD,
    {"iss": "bank", "client_id": "bank", "aud": ISSUER, "exp": NOW + 60, "nbf": NOW, "scope": "openid"}, InvalidRequestObject,
)  # fmt: skip
PROOF = Door(
    "DPoP proof", _proof, {"alg": "ES256", "typ": "dpop+jwt", "jwk": EC.as_dict(private=False)},
    {"jti": "j", "htm": "POST", "htu": f"{ISSUER}/token", "iat": NOW}, InvalidDpopProof,
)  # fmt: skip
STATEMENT = Door(
    "software statement", lambda text: verify_software_statement(text, CONFIG, at=AT), HEAD,
    {"iss": DIRECTORY, "software_id": "app"}, InvalidSoftwareStatement,
)  # fmt: skip
DOORS = (ASSERTION, REQUEST_OBJECT, PROOF, STATEMENT)


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    return ".".join(segment(part) for part in (json.dumps(header).encode(), json.dumps(claims).encode(), signature))


def hmac_signed(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[header["alg"]]
    message = unsigned(header, claims).rpartition(".")[0]
    return f"{message}.{segment(hmac.new(secret, message.encode(), digest).digest())}"


def signature_of(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.split(".")[2] + "==")
