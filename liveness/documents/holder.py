"""Is the document the asked person's: number against MRZ, MRZ against the identity that the upstream asserted.

Owns:    the cross-check. Leaves the document's existence and its portrait to the permit authority.
Rules:   1 the type is one that the request accepts          2 permits with an MRZ must show it
         3 number and MRZ are of one document                4 birth date as precise as the upstream gives it
         5 Latin name where the MRZ carries one              6 not expired on the day
Spec:    ICAO Doc 9303-3 cl. 4.6 (names), cl. 6 (transliteration)
"""

import contextlib
import unicodedata
from collections.abc import Sequence
from datetime import date

from liveness.documents.mrz import MachineReadable, MrzForm, parse_mrz
from liveness.documents.numbers import DocumentNumber, normalise, parse_number
from liveness.errors import DocumentExpired, DocumentHolderMismatch, DocumentNotAccepted, DocumentRefused
from liveness.model import DocumentType, PermitCheckRequest, PermitDocument

# Which zone a document of each type carries; the others have none on the card.
_FORMS = {
    DocumentType.MAINLAND_TRAVEL_PERMIT: MrzForm.TD1,
    DocumentType.MAINLAND_TRAVEL_PERMIT_NON_CHINESE: MrzForm.TD1,
    DocumentType.EXIT_ENTRY_PERMIT: MrzForm.ONE_LINE,
    DocumentType.TAIWAN_PERMIT: MrzForm.ONE_LINE,
    DocumentType.PASSPORT: MrzForm.TD3,
}


def check_holder(number: str, mrz: Sequence[str], request: PermitCheckRequest, *, on: date) -> PermitDocument:
    """Return the document, cross-checked with the request.

    Args:
        number: as typed by the citizen.
        mrz: the zone's lines, empty for documents without one.
        request: whose permit it must be.
        on: today.

    Raises:
        DocumentRefused: or one of its children, naming what is wrong.
    """
    zone = parse_mrz(mrz, on=on) if mrz else None
    parsed = _identify(number, zone, request.accepted_documents)
    _check_zone(parsed, zone)
    birthdate = parsed.birthdate or (zone.birthdate if zone else None)
    _check_birthdate(birthdate, request.birthdate)
    if zone and zone.surname:
        _check_name(zone, request.name_latin)
    if zone and zone.expires < on:
        raise DocumentExpired("the document has expired", field="expiry", found=zone.expires.isoformat())
    return PermitDocument(
        parsed.type, parsed.number, parsed.reissue, parsed.issuing_country, birthdate, zone.expires if zone else None
    )


def _identify(number: str, zone: MachineReadable | None, accepted: tuple[DocumentType, ...]) -> DocumentNumber:
    if zone and zone.form is MrzForm.TD3:
        parsed = DocumentNumber(DocumentType.PASSPORT, normalise(number), zone.issuing_state or "")
    elif zone and zone.document_code == "CD":
        # The Taiwan permit shares the exit-entry permit's layout; only the code tells them apart.
        parsed = DocumentNumber(DocumentType.TAIWAN_PERMIT, normalise(number), "CHN")
    else:
        try:
            parsed = parse_number(number, accepted)
        except DocumentRefused as refusal:
            # A good number of another document gets that answer; anything else gets the nearest accepted shape's.
            other = _type_of(number)
            if other is None or other in accepted:
                raise
            raise _not_accepted(other, accepted) from refusal
    if parsed.type not in accepted:
        raise _not_accepted(parsed.type, accepted)
    return parsed


def _type_of(number: str) -> DocumentType | None:
    with contextlib.suppress(DocumentRefused):
        return parse_number(number).type
    return None


def _not_accepted(found: DocumentType, accepted: tuple[DocumentType, ...]) -> DocumentNotAccepted:
    return DocumentNotAccepted(
        "this document is not accepted here", field="type", found=found.value,
        expected=" or ".join(kind.value for kind in accepted),
    )  # fmt: skip


def _check_zone(parsed: DocumentNumber, zone: MachineReadable | None) -> None:
    form = _FORMS.get(parsed.type)
    if zone is None:
        if form:
            raise DocumentRefused(
                "this document has a machine-readable zone: type its lines",
                field="mrz",
                found="nothing",
                expected=form.value,
            )
        return
    if zone.form is not form:
        raise DocumentHolderMismatch(
            "number and machine-readable zone are of different documents", field="mrz", found=zone.form.value,
            expected=form.value if form else "no machine-readable zone",
        )  # fmt: skip
    if form is MrzForm.TD1 and zone.issuing_state != "CHN":
        raise DocumentHolderMismatch(
            "the zone's issuing state is not CHN", field="mrz line 1", position=3, expected="CHN"
        )
    # Cards of the old form carry the reissue count in the zone's number too.
    if zone.number not in {parsed.number, parsed.number + (parsed.reissue or "")} and not (
        parsed.reissue is None and len(zone.number) == 11 and zone.number[:9] == parsed.number
    ):
        raise DocumentHolderMismatch("the number is not the one in the machine-readable zone", field="number")


def _check_birthdate(found: date | None, asked: str) -> None:
    if found is None:
        raise DocumentHolderMismatch("the document does not give a full birth date", field="birth", expected="YYMMDD")
    if not asked or not found.strftime("%Y%m%d").startswith(asked):
        raise DocumentHolderMismatch("the document is of a person born on another day", field="birth")


def _check_name(zone: MachineReadable, asked: str) -> None:
    surname, separator, given = asked.partition(",")
    printed = _plain_name(f"{zone.surname} {zone.given_names}")
    wanted = _plain_name(f"{surname} {given}" if separator else asked)
    same = wanted.startswith(printed) if zone.name_truncated else printed == wanted
    if not printed or not same:
        raise DocumentHolderMismatch("the name in the document is not the person's", field="name")


def _plain_name(text: str) -> str:
    """Return the letters A-Z alone: diacritics, hyphens, apostrophes and spaces do not travel through an MRZ."""
    decomposed = unicodedata.normalize("NFKD", text).upper().replace("ß", "SS").replace("Ø", "OE").replace("Æ", "AE")
    return "".join(character for character in decomposed if "A" <= character <= "Z")
