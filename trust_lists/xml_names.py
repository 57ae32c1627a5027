"""The XML vocabulary of trusted lists: namespaces, URIs, and which elements stand where.

Owns:    names, and the order of elements as the schema of TS 119 612 gives it. Leaves reading to `xml_import`, writing to `xml_export`.
Spec:    ETSI TS 119 612 v2.4.1 annex C (schema 19612_xsd, namespace http://uri.etsi.org/02231/v2#) and annex D (URIs).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

TSL = "http://uri.etsi.org/02231/v2#"
TSL_TYPES = "http://uri.etsi.org/02231/v2/additionaltypes#"
DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
OURS = "urn:gba-trust:tsl-extension:1"
"""Namespace of what has no place in TS 119 612: a service's identifier, the joint scheme."""

TSL_TAG = "http://uri.etsi.org/19612/TSLTag"
MIME_TYPE = "application/vnd.etsi.tsl+xml"
VERSION = 6
_BASE = "http://uri.etsi.org/TrstSvc/TrustedList"
LIST_OF_LISTS = "urn:gba-trust:tsl-type:listofthelists"
STATUS_DETERMINATION = "urn:gba-trust:status-determination:regional"
COMMUNITY_RULES = "urn:gba-trust:scheme-rules:three-regions"
SUPPLY_PREFIX = "urn:gba-trust:supply-point:"


def list_type(territory: str) -> str:
    """Return the TSLType of a region's list (annex D.4: `CClist`, where CC is the scheme's territory)."""
    return f"{_BASE}/TSLType/{territory}list"


def _order(pattern: str) -> re.Pattern[str]:
    """Read `A B? C*` as what children there must be, in this order."""
    parts = (re.fullmatch(r"(\w+)([?*+]?)", part) for part in pattern.split())
    return re.compile("".join(f"(?:{part[1]} ){part[2]}" for part in parts if part is not None))


CHILDREN: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "TrustServiceStatusList": _order("SchemeInformation TrustServiceProviderList? Signature?"),
        "SchemeInformation": _order(
            "TSLVersionIdentifier TSLSequenceNumber TSLType SchemeOperatorName SchemeOperatorAddress SchemeName "
            "SchemeInformationURI StatusDeterminationApproach SchemeTypeCommunityRules? SchemeTerritory? "
            "PolicyOrLegalNotice? HistoricalInformationPeriod PointersToOtherTSL? ListIssueDateTime NextUpdate "
            "DistributionPoints? SchemeExtensions?"
        ),
        "PointersToOtherTSL": _order("OtherTSLPointer+"),
        "OtherTSLPointer": _order("ServiceDigitalIdentities? TSLLocation AdditionalInformation?"),
        "ServiceDigitalIdentities": _order("ServiceDigitalIdentity+"),
        "ServiceDigitalIdentity": _order("DigitalId*"),
        "TrustServiceProviderList": _order("TrustServiceProvider+"),
        "TrustServiceProvider": _order("TSPInformation TSPServices"),
        "TSPInformation": _order("TSPName TSPTradeName? TSPAddress TSPInformationURI TSPInformationExtensions?"),
        "TSPServices": _order("TSPService+"),
        "TSPService": _order("ServiceInformation ServiceHistory?"),
        "ServiceInformation": _order(
            "ServiceTypeIdentifier ServiceName ServiceDigitalIdentity ServiceStatus StatusStartingTime "
            "SchemeServiceDefinitionURI? ServiceSupplyPoints? TSPServiceDefinitionURI? ServiceInformationExtensions?"
        ),
        "ServiceHistory": _order("ServiceHistoryInstance*"),
        "ServiceHistoryInstance": _order(
            "ServiceTypeIdentifier ServiceName ServiceDigitalIdentity ServiceStatus StatusStartingTime "
            "ServiceInformationExtensions?"
        ),
        "ServiceSupplyPoints": _order("ServiceSupplyPoint+"),
    }
)
"""What stands in what (annex C); elements that are not named here are not looked into."""
