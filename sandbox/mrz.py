"""Machine-readable zones as the simulated authorities print them on the personas' permits.

Owns:    TD1 for the Mainland Travel Permit, the one line of the exit-entry permit. Leaves reading to `liveness.documents`.
Rules:   the document code `CR` of the 2013 card is not confirmed by any source; readers take any `C?`
"""

from datetime import date

from liveness.documents.check_digits import icao_digit
from sandbox.personas import Persona
from trust_lists.vocabulary import Region

_HOLDER_STATE = {Region.HK: "HKG", Region.MO: "MAC", Region.GD: "CHN"}


def permit_mrz(persona: Persona) -> tuple[str, ...]:
    """Return the lines on a persona's permit, none when the persona has no permit."""
    if persona.permit_number is None:
        return ()
    return exit_entry_permit_mrz(persona) if persona.permit_number[0] in "CW" else mainland_travel_permit_mrz(persona)


def mainland_travel_permit_mrz(persona: Persona) -> tuple[str, str, str]:
    """Return the three lines of a Mainland Travel Permit (TD1, ICAO Doc 9303-5)."""
    number, expires = _need(persona)
    surname, _, given = persona.name_latin.partition(",")
    name = "<<".join("<".join(part.upper().replace("-", " ").split()) for part in (surname, given))
    field = number.ljust(9, "<")
    first = f"CRCHN{field}{icao_digit(field)}".ljust(30, "<")
    birth, expiry = f"{persona.birthdate:%y%m%d}", f"{expires:%y%m%d}"
    second = (
        f"{birth}{icao_digit(birth)}{persona.sex}{expiry}{icao_digit(expiry)}{_HOLDER_STATE[persona.region]}".ljust(
            29, "<"
        )
    )
    composite = icao_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
    return first, second + composite, name[:30].ljust(30, "<")


def exit_entry_permit_mrz(persona: Persona) -> tuple[str]:
    """Return the one line of an exit-entry permit for Hong Kong and Macao (code CS)."""
    number, expires = _need(persona)
    covered = [
        field + icao_digit(field)
        for field in (number.ljust(9, "<"), f"{expires:%y%m%d}", f"{persona.birthdate:%y%m%d}")
    ]
    return ("CS" + "<".join(covered) + "<" + icao_digit("".join(covered)),)


def _need(persona: Persona) -> tuple[str, date]:
    if persona.permit_number is None or persona.permit_expiry is None:
        raise ValueError(f"{persona.id} has no permit")
    return persona.permit_number, persona.permit_expiry
