"""The simulated people and companies that every simulator shares.

Owns:    `Persona` and the table. All data is fictitious; document numbers are synthetic and carry valid check digits.
Leaves:  key pairs and certificates to `pki`, portraits to `portraits`.
"""

from dataclasses import dataclass
from datetime import date

from trust_lists.vocabulary import Region


@dataclass(frozen=True, slots=True)
class Persona:
    """One simulated account holder."""

    id: str
    region: Region
    name_latin: str
    """As iAM Smart writes it: SURNAME, Given Names."""
    name_chinese: str
    birthdate: date
    sex: str
    """`M` or `F`."""
    home_id: str
    """HKID with check digit, Macao BIR, or Mainland resident ID; without brackets."""
    permit_number: str | None
    """Mainland Travel Permit for Hong Kong and Macao residents, nine characters, or the Exit-Entry Permit of a Mainland resident."""
    permit_expiry: date | None
    portrait: str
    """Name of the portrait that `portraits` holds."""
    upstream_level: str
    """The upstream's own word: iAM Smart `sign` or other, Guangdong `L0` to `L3`, Macao `face`/`pwd`."""
    organisation: str | None = None


PERSONAS: dict[str, Persona] = {
    persona.id: persona
    for persona in (
        Persona("hk-resident", Region.HK, "CHAN, Ka Yan", "陳嘉欣", date(1990, 1, 15), "F", "A1234563", "H12345678",
                date(2033, 6, 30), "astronaut", "sign"),
        Persona("hk-resident-basic", Region.HK, "WONG, Siu Ming", "黃小明", date(1985, 11, 2), "M", "C1234569",
                "H23456789", date(2031, 3, 31), "synthetic-a", "basic"),
        Persona("mo-resident", Region.MO, "LEONG, Ka Fai", "梁嘉輝", date(1988, 7, 21), "M", "12345678", "M12345678",
                date(2032, 9, 30), "synthetic-b", "face"),
        Persona("gd-resident", Region.GD, "LI, MING", "李明", date(1990, 3, 7), "M", "440301199003070019",
                "CA1234567", date(2034, 1, 31), "synthetic-c", "L2"),
        Persona("gd-resident-unverified", Region.GD, "ZHANG, WEI", "张伟", date(1995, 5, 5), "M",
                "440301199505050018", None, None, "synthetic-c", "L0"),
        Persona("hk-resident-2", Region.HK, "LEE, Mei Ling", "李美玲", date(1979, 4, 30), "F", "G123456A",
                "H34567890", date(2030, 12, 31), "synthetic-a", "sign"),
        Persona("gd-company", Region.GD, "LI, MING", "李明", date(1990, 3, 7), "M", "440301199003070019",
                "CA1234567", date(2034, 1, 31), "synthetic-c", "L3", "广东示例科技有限公司"),
        Persona("visitor-passport", Region.MO, "SILVA, Ana", "", date(1992, 2, 29), "F", "P1234567", None, None,
                "synthetic-b", "pwd"),
    )
}  # fmt: skip
