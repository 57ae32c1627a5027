"""A permit attestation made by hand from the interface's words, not by the code that the gate shares."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from joserfc import jwt


def make_attestation(keys: Any, *, at: datetime, **changes: Any) -> str:
    """Sign an attestation; `changes` are `issuer`, `audience`, `transaction`, `subject`, `key`, `claims`, `lifetime`."""
    time = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def check(method: str, organization: str) -> dict[str, str]:
        return {"check_method": method, "organization": organization, "txn": secrets.token_hex(6), "time": time}

    claims = {
        "iss": changes["issuer"],
        "aud": changes["audience"],
        "sub": changes["subject"],
        "txn": changes["transaction"],
        "iat": int(at.timestamp()),
        "exp": int((at + changes.get("lifetime", timedelta(minutes=5))).timestamp()),
        "jti": secrets.token_urlsafe(12),
        "document": {"type": "mainland_travel_permit", "issuing_country": "CHN", "reference": "ref-7f3a"},
        "checks": [check("data", "simulated permit authority"), check("bvr", "gba-trust")],
        "portrait_source": "permit_authority",
        "model_set": "0" * 64,
        "thresholds": {"match": 0.6},
        "decision": "pass",
        **changes.get("claims", {}),
    }
    key = changes.get("key") or keys.current()
    header = {"alg": "ES256", "kid": key.kid, "typ": "permit-attestation+jwt"}
    return jwt.encode(header, claims, key, algorithms=["ES256"])
