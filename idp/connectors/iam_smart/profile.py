"""The core profile that a profile callback carries, read into the broker's words. Pure.

Owns:    `PROFILE_FIELDS`, `parse_profile`. Leaves correlation to `callbacks`.
Rules:   1 a field of another shape than the wire's refuses the whole profile; a field that is missing is empty, but for the
           three that make a person: number, name, birth date
         2 the check digit is carried, not judged: the upstream's own sample has one that does not compute
Spec:    fact sheet upstreams.md §1.3.
"""

import re
from collections.abc import Mapping
from datetime import date

from idp.connectors.iam_smart.errors import ContentMalformed
from idp.upstream import UpstreamIdentity

PROFILE_FIELDS = ("idNo", "enName", "chName", "birthDate", "gender")
MAX_NAME_CHARS = 200
HKID = "hkid"
_IDENTIFICATION = re.compile(r"[A-Z]{1,2}[0-9]{6}")
_CHECK_DIGIT = re.compile(r"[0-9A]")


def parse_profile(content: Mapping[str, object]) -> UpstreamIdentity:
    """Return the person of a profile callback's content.

    Raises:
        ContentMalformed: a field has another shape, or number, name or birth date is missing.
    """
    number = _member(content, "idNo", "Identification")
    check_digit = _member(content, "idNo", "CheckDigit")
    name_latin = _member(content, "enName", "UnstructuredName")
    if not _IDENTIFICATION.fullmatch(number) or not _CHECK_DIGIT.fullmatch(check_digit) or not name_latin:
        raise ContentMalformed
    gender = content.get("gender", "")
    return UpstreamIdentity(
        name_latin=name_latin,
        name_chinese=_member(content, "chName", "ChineseName"),
        birthdate=_birthdate(content.get("birthDate")),
        gender=gender if isinstance(gender, str) and gender in ("M", "F") else "",
        document_type=HKID,
        document_number=number + check_digit,
    )


def _member(content: Mapping[str, object], name: str, inner: str) -> str:
    """Return the text inside a field's object; empty when the field is not there."""
    value = content.get(name)
    if value is None:
        return ""
    text = value.get(inner, "") if isinstance(value, dict) else None
    if not isinstance(text, str) or len(text) > MAX_NAME_CHARS or not (text.isprintable() or text == ""):
        raise ContentMalformed
    return text.strip()


def _birthdate(value: object) -> str:
    """Return YYYY, YYYYMM or YYYYMMDD: some identity cards know only the year (*assumed* to come so)."""
    if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) not in (4, 6, 8):
        raise ContentMalformed
    try:
        date(int(value[:4]), int(value[4:6] or 1), int(value[6:8] or 1))
    except ValueError as error:
        raise ContentMalformed from error
    return value
