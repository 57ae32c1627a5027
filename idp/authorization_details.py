"""Rich authorization requests: one named document to sign, and no other.

Owns:    the type `sign_document`: its parsing, bounded, and its form in tokens. Leaves consent to `consent`,
         the API's check to `signing`.
Rules:   1 a type that we do not know, a member that we do not know, or a digest that is none is refused: what is asked must be understood
         2 what is granted is what was asked, or nothing; one token can be for fewer
Spec:    RFC 9396 cl. 2, 5 (invalid_authorization_details), 7, 9
"""

import json
import re
from collections.abc import Sequence
from typing import Final

from idp.errors import InvalidAuthorizationDetails
from idp.model import DocumentToSign

SIGN_DOCUMENT: Final = "sign_document"
MAX_CHARS = 8_192
MAX_DOCUMENTS = 20
_MEMBERS = frozenset({"type", "label", "digest", "digest_algorithm", "locations", "actions"})
_DIGEST = re.compile(r"[A-Za-z0-9_-]{43}")
MAX_LABEL_CHARS = 120


def parse_authorization_details(text: str | None, *, registered: Sequence[str], api: str) -> tuple[DocumentToSign, ...]:
    """Return the documents that the parameter names.

    Args:
        text: the parameter (JSON), or None.
        registered: `authorization_details_types` of the relying party.
        api: the only location that means something here: the signing API.

    Raises:
        InvalidAuthorizationDetails: not JSON of the standard's shape, or not the type that we know.
    """
    if text is None:
        return ()
    if len(text) > MAX_CHARS:
        raise InvalidAuthorizationDetails("authorization_details is too large")
    try:
        elements = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidAuthorizationDetails("authorization_details is not JSON") from error
    if not isinstance(elements, list) or not 1 <= len(elements) <= MAX_DOCUMENTS:
        raise InvalidAuthorizationDetails(f"authorization_details must be a list of 1 to {MAX_DOCUMENTS} objects")
    if SIGN_DOCUMENT not in registered:
        raise InvalidAuthorizationDetails("This relying party is not registered for authorization details")
    return tuple(dict.fromkeys(_document(element, api) for element in elements))


def _document(element: object, api: str) -> DocumentToSign:
    if not isinstance(element, dict) or element.get("type") != SIGN_DOCUMENT:
        raise InvalidAuthorizationDetails(f"The only type of authorization_details is {SIGN_DOCUMENT}")
    if element.keys() - _MEMBERS:
        raise InvalidAuthorizationDetails("authorization_details has an unknown member")
    label, digest = element.get("label"), element.get("digest")
    if not isinstance(label, str) or not 1 <= len(label) <= MAX_LABEL_CHARS or not label.isprintable():
        raise InvalidAuthorizationDetails(f"label must be a text of 1 to {MAX_LABEL_CHARS} characters")
    if (
        not isinstance(digest, str)
        or not _DIGEST.fullmatch(digest)
        or element.get("digest_algorithm", "SHA-256") != "SHA-256"
    ):
        raise InvalidAuthorizationDetails("digest must be a base64url SHA-256 value")
    if element.get("locations", [api]) != [api] or element.get("actions", ["sign"]) != ["sign"]:
        raise InvalidAuthorizationDetails("locations and actions can only be the signing API and sign")
    return DocumentToSign(label, digest)


def narrow_documents(text: str | None, granted: Sequence[DocumentToSign], *, api: str) -> tuple[DocumentToSign, ...]:
    """Return the documents of one token: of those that were granted the ones that a token request asks for, all when it asks for none.

    Raises:
        InvalidAuthorizationDetails: more than was granted (RFC 9396 cl. 6).
    """
    if text is None:
        return tuple(granted)
    wanted = parse_authorization_details(text, registered=(SIGN_DOCUMENT,), api=api)
    if not set(wanted) <= set(granted):
        raise InvalidAuthorizationDetails("authorization_details is more than was granted")
    return wanted


def details_of(documents: Sequence[DocumentToSign]) -> list[dict[str, object]]:
    """Return the documents as `authorization_details` (RFC 9396 cl. 7, 9.1)."""
    return [
        {"type": SIGN_DOCUMENT, "label": document.label, "digest": document.digest, "digest_algorithm": "SHA-256"}
        for document in documents
    ]


def documents_of(details: object) -> tuple[DocumentToSign, ...]:
    """Read our own form back."""
    elements = details if isinstance(details, list) else []
    return tuple(DocumentToSign(str(element["label"]), str(element["digest"])) for element in elements)
