"""How the three regions begin: the purposes that they distinguish, and an empty scheme with three empty sections.

Owns:    the founding values that `trust-list init` writes as a first draft. Leaves every later change to `drafting`.
Spec:    purposes after the Hong Kong-Guangdong mutual recognition (government and other use) and Macao Law 5/2005 (qualified).
"""

from datetime import datetime
from types import MappingProxyType

from trust_lists.model import LocalText, Purpose, RegionList, Scheme
from trust_lists.publication import Draft
from trust_lists.vocabulary import Region

PURPOSES = (
    Purpose(
        "hk_government",
        Region.HK,
        (LocalText("en", "Hong Kong government use"), LocalText("zh-Hant", "香港政府用途")),
    ),
    Purpose(
        "hk_private",
        Region.HK,
        (LocalText("en", "Hong Kong private use"), LocalText("zh-Hant", "香港私人用途")),
    ),
    Purpose(
        "mainland",
        Region.GD,
        (LocalText("en", "Use in Guangdong and the Mainland"), LocalText("zh-Hans", "广东及内地使用")),
    ),
    Purpose(
        "mo_qualified",
        Region.MO,
        (
            LocalText("en", "Macao qualified use"),
            LocalText("zh-Hant", "澳門合格用途"),
            LocalText("pt", "Uso qualificado em Macau"),
        ),
    ),
)

_OPERATORS = {
    Region.HK: (LocalText("en", "Scheme operator of Hong Kong"), LocalText("zh-Hant", "香港計劃營運者")),
    Region.MO: (LocalText("en", "Scheme operator of Macao"), LocalText("zh-Hant", "澳門計劃營運者")),
    Region.GD: (LocalText("en", "Scheme operator of Guangdong"), LocalText("zh-Hans", "广东方案运营者")),
}


def founding_draft(at: datetime) -> Draft:
    """Return the draft in which nobody is listed, nothing is agreed, and the purposes are named."""
    scheme = Scheme(
        names=(
            LocalText("en", "Greater Bay Area three-region trust list"),
            LocalText("zh-Hant", "粵港澳大灣區三地信任清單"),
            LocalText("zh-Hans", "粤港澳大湾区三地信任清单"),
        ),
        sequence_number=1,
        issued=at,
        next_update=at,
        purposes=PURPOSES,
        agreements=(),
        admissions=(),
    )
    sections = {region: RegionList(region, _OPERATORS[region], 1, at, at, ()) for region in Region}
    return Draft(scheme, MappingProxyType(sections))
