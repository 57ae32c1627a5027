"""The forms in which a check rests in the store: sealed JSON, hashed capabilities.

Owns:    turning requests and documents into sealed bytes and back, making capabilities and their keys.
Rules:   a capability leaves the process once, to its holder; only its SHA-256 is stored (256 random bits need no salt)
"""

import base64
import hashlib
import json
import secrets
from dataclasses import asdict
from datetime import date

from liveness.model import DocumentType, PermitCheckRequest, PermitDocument
from liveness.ports import PersonalDataCipher
from trust_lists.vocabulary import Region

REQUEST_PURPOSE = "liveness-request"
DOCUMENT_PURPOSE = "liveness-document"
TOKEN_PURPOSE = "liveness-attestation"  # noqa: S105 - a name, not a secret
REFERENCE_PURPOSE = "liveness-document-reference"
CAPABILITY_CHARACTERS = 43


def new_capability() -> str:
    """Return 256 random bits, base64url."""
    return secrets.token_urlsafe(32)


def key_of(capability: str) -> str:
    """Return what the store knows a capability by."""
    digest = hashlib.sha256(capability.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def seal_request(request: PermitCheckRequest, cipher: PersonalDataCipher) -> bytes:
    """Return a request as sealed bytes."""
    return cipher.seal(json.dumps(asdict(request)).encode(), purpose=REQUEST_PURPOSE)


def open_request(sealed: bytes, cipher: PersonalDataCipher) -> PermitCheckRequest:
    """Return the request of sealed bytes."""
    fields = json.loads(cipher.open(sealed, purpose=REQUEST_PURPOSE))
    fields["region"] = Region(fields["region"])
    fields["accepted_documents"] = tuple(DocumentType(kind) for kind in fields["accepted_documents"])
    return PermitCheckRequest(**fields)


def seal_document(document: PermitDocument, cipher: PersonalDataCipher) -> bytes:
    """Return a document as sealed bytes."""
    return cipher.seal(json.dumps(asdict(document), default=date.isoformat).encode(), purpose=DOCUMENT_PURPOSE)


def open_document(sealed: bytes, cipher: PersonalDataCipher) -> PermitDocument:
    """Return the document of sealed bytes."""
    fields = json.loads(cipher.open(sealed, purpose=DOCUMENT_PURPOSE))
    fields["type"] = DocumentType(fields["type"])
    for name in ("birthdate", "expires"):
        fields[name] = date.fromisoformat(fields[name]) if fields[name] else None
    return PermitDocument(**fields)
