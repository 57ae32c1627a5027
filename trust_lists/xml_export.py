"""The list as ETSI TS 119 612 v6 XML, for tools that read nothing else: one list per region, and a list of lists.

Owns:    building the XML of an accepted section or scheme, unsigned. Leaves the signature to `xml_signature`, reading to `xml_import`.
Rules:   what is written parses back to the same value: `xml_import` and the tests hold that. Nothing is invented that a person could rely
         on: an address that we do not hold says where to ask. Times keep their fraction of a second where they have one.
Spec:    ETSI TS 119 612 v2.4.1 cl. 5.2 to 5.6, annex C.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from trust_lists import xml_names as names
from trust_lists.errors import DraftRefused
from trust_lists.model import LocalText, RegionList, Scheme, StatusPeriod, TrustService, TrustServiceProvider
from trust_lists.scheme_document import write_scheme
from trust_lists.strict_json import write_instant
from trust_lists.vocabulary import Region

_NAMESPACES = {None: names.TSL, "tslx": names.TSL_TYPES, "gba": names.OURS}
HISTORY_NEVER_REMOVED = "65535"


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where a region's list lies, and the certificate that signs it."""

    region: Region
    location: str
    certificate: bytes
    operator_names: tuple[LocalText, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    """What an export says of itself that the list does not hold."""

    information_uri: str = "urn:gba-trust:trust-list"
    """Where people read about the scheme; also given as the address to write to."""


def export_region(section: RegionList, scheme: Scheme, publication: Publication) -> Any:  # noqa: ANN401 - an lxml tree
    """Return a region's section as an unsigned trusted list.

    Raises:
        DraftRefused: a text has a character that XML cannot carry.
    """
    try:
        root = _root(f"{section.region.territory}-{section.sequence_number}")
        info = _scheme_information(
            root,
            sequence_number=section.sequence_number,
            kind=names.list_type(section.region.territory),
            operator=section.operator_names,
            scheme=scheme,
            territory=section.region.territory,
            publication=publication,
        )
        _dates(info, section.issued, section.next_update)
        if section.providers:
            providers = _add(root, "TrustServiceProviderList")
            for provider in section.providers:
                _provider(providers, provider, section.region, publication)
    except ValueError as error:
        raise DraftRefused("a text of the list has a character that XML cannot carry") from error
    return root


def export_list_of_lists(
    scheme: Scheme, operator: tuple[LocalText, ...], pointers: tuple[Pointer, ...], publication: Publication
) -> Any:  # noqa: ANN401 - an lxml tree
    """Return the list of lists, unsigned: where the regions' lists lie, and the joint scheme as an extension.

    Raises:
        DraftRefused: a text has a character that XML cannot carry.
    """
    try:
        root = _root(f"lists-{scheme.sequence_number}")
        info = _scheme_information(
            root,
            sequence_number=scheme.sequence_number,
            kind=names.LIST_OF_LISTS,
            operator=operator,
            scheme=scheme,
            territory="XX",  # ISO 3166-1 user-assigned: no territory of its own
            publication=publication,
        )
        others = _add(info, "PointersToOtherTSL")
        for pointer in pointers:
            _pointer(others, pointer)
        _dates(info, scheme.issued, scheme.next_update)
        extension = _add(_add(info, "SchemeExtensions"), "Extension", Critical="false")
        etree.SubElement(extension, f"{{{names.OURS}}}Scheme").text = write_scheme(scheme).decode()
    except ValueError as error:
        raise DraftRefused("a text of the scheme has a character that XML cannot carry") from error
    return root


def _root(identifier: str) -> Any:  # noqa: ANN401 - an lxml element
    return etree.Element(
        f"{{{names.TSL}}}TrustServiceStatusList", {"Id": identifier, "TSLTag": names.TSL_TAG}, nsmap=_NAMESPACES
    )


def _add(parent: Any, name: str, text: str | None = None, **attributes: str) -> Any:  # noqa: ANN401 - lxml elements
    element = etree.SubElement(parent, f"{{{names.TSL}}}{name}", attributes)
    element.text = text
    return element


def _texts(parent: Any, name: str, texts: tuple[LocalText, ...], child: str = "Name") -> None:  # noqa: ANN401
    element = _add(parent, name)
    for text in texts:
        _add(element, child, text.value).set(names.XML_LANG, text.lang)


def _scheme_information(
    root: Any,  # noqa: ANN401 - an lxml element
    *,
    sequence_number: int,
    kind: str,
    operator: tuple[LocalText, ...],
    scheme: Scheme,
    territory: str,
    publication: Publication,
) -> Any:  # noqa: ANN401 - an lxml element
    info = _add(root, "SchemeInformation")
    _add(info, "TSLVersionIdentifier", str(names.VERSION))
    _add(info, "TSLSequenceNumber", str(sequence_number))
    _add(info, "TSLType", kind)
    _texts(info, "SchemeOperatorName", operator)
    _address(info, "SchemeOperatorAddress", territory, publication.information_uri)
    _texts(info, "SchemeName", tuple(LocalText(t.lang, f"{territory}: {t.value}") for t in scheme.names))
    _texts(info, "SchemeInformationURI", (LocalText("en", publication.information_uri),), "URI")
    _add(info, "StatusDeterminationApproach", names.STATUS_DETERMINATION)
    _texts(info, "SchemeTypeCommunityRules", (LocalText("en", names.COMMUNITY_RULES),), "URI")
    _add(info, "SchemeTerritory", territory)
    legal = "Recognition depends on the certificate's policy, type, purpose and date; see the joint scheme in the list of lists."
    _texts(info, "PolicyOrLegalNotice", (LocalText("en", legal),), "TSLLegalNotice")
    _add(info, "HistoricalInformationPeriod", HISTORY_NEVER_REMOVED)
    return info


def _dates(info: Any, issued: datetime, next_update: datetime) -> None:  # noqa: ANN401 - an lxml element
    _add(info, "ListIssueDateTime", write_time(issued))
    _add(_add(info, "NextUpdate"), "dateTime", write_time(next_update))


def write_time(at: datetime) -> str:
    """Write an instant as TS 119 612 cl. 5.1.3 wants it, with its fraction of a second only where it has one."""
    text = write_instant(at)
    return text.replace(".000000Z", "Z")


def _address(parent: Any, name: str, territory: str, uri: str) -> None:  # noqa: ANN401 - an lxml element
    """Write an address that the schema demands and the list does not hold: it says where to ask."""
    element = _add(parent, name)
    postal = _add(_add(element, "PostalAddresses"), "PostalAddress")
    postal.set(names.XML_LANG, "en")
    for part, text in (
        ("StreetAddress", "see the electronic address"),
        ("Locality", territory),
        ("CountryName", territory[:2]),
    ):
        _add(postal, part, text)
    _texts(element, "ElectronicAddress", (LocalText("en", uri),), "URI")


def _provider(parent: Any, provider: TrustServiceProvider, region: Region, publication: Publication) -> None:  # noqa: ANN401
    if not provider.services:
        raise DraftRefused("a provider without services cannot be exported")
    element = _add(parent, "TrustServiceProvider")
    info = _add(element, "TSPInformation")
    _texts(info, "TSPName", provider.names)
    _address(info, "TSPAddress", region.territory, provider.information_uri or publication.information_uri)
    _texts(info, "TSPInformationURI", (LocalText("en", provider.information_uri),), "URI")
    services = _add(element, "TSPServices")
    for service in provider.services:
        _service(services, service)


def _service(parent: Any, service: TrustService) -> None:  # noqa: ANN401 - an lxml element
    element = _add(parent, "TSPService")
    info = _add(element, "ServiceInformation")
    _common(info, service, service.periods[-1])
    if service.supply_points:
        points = _add(info, "ServiceSupplyPoints")
        for point in service.supply_points:
            _add(points, "ServiceSupplyPoint", point.uri, type=names.SUPPLY_PREFIX + point.kind)
    if service.definition_uri is not None:
        _texts(info, "TSPServiceDefinitionURI", (LocalText("en", service.definition_uri),), "URI")
    extension = _add(_add(info, "ServiceInformationExtensions"), "Extension", Critical="false")
    etree.SubElement(extension, f"{{{names.OURS}}}ServiceIdentifier").text = service.id
    if len(service.periods) > 1:
        history = _add(element, "ServiceHistory")
        for period in reversed(service.periods[:-1]):
            _common(_add(history, "ServiceHistoryInstance"), service, period)


def _common(parent: Any, service: TrustService, period: StatusPeriod) -> None:  # noqa: ANN401 - an lxml element
    """Write what a service and an entry of its history both say."""
    _add(parent, "ServiceTypeIdentifier", service.type.value)
    _texts(parent, "ServiceName", service.names)
    identity = _add(parent, "ServiceDigitalIdentity")
    for certificate in service.certificates:
        _add(_add(identity, "DigitalId"), "X509Certificate", base64.b64encode(certificate).decode("ascii"))
    _add(parent, "ServiceStatus", period.status.value)
    _add(parent, "StatusStartingTime", write_time(period.starting_time))


def _pointer(parent: Any, pointer: Pointer) -> None:  # noqa: ANN401 - an lxml element
    element = _add(parent, "OtherTSLPointer")
    identity = _add(_add(element, "ServiceDigitalIdentities"), "ServiceDigitalIdentity")
    _add(_add(identity, "DigitalId"), "X509Certificate", base64.b64encode(pointer.certificate).decode("ascii"))
    _add(element, "TSLLocation", pointer.location)
    more = _add(element, "AdditionalInformation")
    _add(_add(more, "OtherInformation"), "TSLType", names.list_type(pointer.region.territory))
    _add(_add(more, "OtherInformation"), "SchemeTerritory", pointer.region.territory)
    mime = etree.SubElement(_add(more, "OtherInformation"), f"{{{names.TSL_TYPES}}}MimeType")
    mime.text = names.MIME_TYPE
    _texts(_add(more, "OtherInformation"), "SchemeOperatorName", pointer.operator_names)
    _texts(_add(more, "OtherInformation"), "SchemeTypeCommunityRules", (LocalText("en", names.COMMUNITY_RULES),), "URI")


def xml_name(version: int, part: Region | str) -> str:
    """Return the file name of an export beside a version: `xml/<version>.<hk|mo|gd|lists>.xml`."""
    return f"xml/{version}.{part.value if isinstance(part, Region) else part}.xml"


LISTS = "lists"
Exports = Mapping[str, bytes]
"""The signed exports of a version by their file names."""
