"""A caller with a DPoP key: makes proofs, good ones and every kind of bad one."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from joserfc.jwk import ECKey

from idp.jose.algorithms import SIGNATURES


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key: Any, header: dict[str, Any], claims: Any, algorithm: str | None = None) -> str:
    """Sign whatever header and claims are given; a header without a real algorithm gets an ES256 signature."""
    parts = [
        json.dumps({name: value for name, value in part.items() if value is not None}) for part in (header, claims)
    ]
    message = ".".join(segment(part.encode()) for part in parts)
    return f"{message}.{segment(SIGNATURES[algorithm or 'ES256'].sign(key.private_key, message.encode()))}"


@dataclass
class DpopKey:
    """A key and its proofs."""

    key: Any = field(default_factory=lambda: ECKey.generate_key("P-256"))
    algorithm: str = "ES256"

    @property
    def jkt(self) -> str:
        return self.key.thumbprint()

    def proof(
        self, method: str, url: str, *, at: datetime, access_token: str | None = None, header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:  # fmt: skip
        """Make a proof; a header member or claim given as None is left out."""
        head = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.key.as_dict(private=False), **(header or {})}
        ath = None if access_token is None else segment(hashlib.sha256(access_token.encode()).digest())
        body = {
            "jti": secrets.token_urlsafe(12), "htm": method, "htu": url, "iat": int(at.timestamp()), "ath": ath, **claims,
        }  # fmt: skip
        return signed(self.key, head, body, self.algorithm)
