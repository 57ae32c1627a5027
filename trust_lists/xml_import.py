"""Reading trusted lists of ETSI TS 119 612, v5 and v6, real and hostile ones.

Owns:    from XML to `TrustedList`, and from one of ours back to the `RegionList` or `Scheme` that it was written from.
Leaves:  bounds of XML and the signature to `xml_signature`, names and order of elements to `xml_names`.
Rules:   read only what `xml_signature.verify_list` hands out as signed, where there is a signature. A list that departs from the schema's
         structure is refused; what the schema leaves open (extensions, languages, statuses of other schemes) is kept or passed over.
         Past its next update a list is still read, and says so: it is the caller who may not trust it.
Spec:    ETSI TS 119 612 v2.4.1 cl. 5.2 to 5.6, annex C; TS 119 615 cl. 4.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trust_lists import xml_names as names
from trust_lists.certificates import certificate_key_hash
from trust_lists.document import parse_region_list
from trust_lists.document_writing import write_region_list
from trust_lists.errors import CertificateMalformed, ListMalformed, SignatureInvalid
from trust_lists.model import (
    LocalText,
    RegionList,
    Scheme,
    ServiceStatus,
    ServiceType,
    StatusPeriod,
    SupplyPoint,
    TrustService,
    TrustServiceProvider,
)
from trust_lists.scheme_document import parse_scheme
from trust_lists.vocabulary import Region
from trust_lists.xml_signature import parse_xml, verify_list

_T = f"{{{names.TSL}}}"
_MAX_TEXT = 64 * 1024
_TEXTS = ("Name", "URI")


@dataclass(frozen=True, slots=True)
class ListedPeriod:
    """A status of a service, as its URI, and since when."""

    type: str
    status: str
    starting_time: datetime


@dataclass(frozen=True, slots=True)
class ListedService:
    """A service of any scheme."""

    names: tuple[LocalText, ...]
    certificates: tuple[bytes, ...]
    periods: tuple[ListedPeriod, ...]
    """Ascending; the last one is the current."""
    supply_points: tuple[SupplyPoint, ...]
    definition_uri: str | None
    identifier: str | None
    """Ours alone."""


@dataclass(frozen=True, slots=True)
class ListedProvider:
    """A provider of any scheme."""

    names: tuple[LocalText, ...]
    information_uri: str | None
    services: tuple[ListedService, ...]


@dataclass(frozen=True, slots=True)
class ListedPointer:
    """Where another list lies, and whose certificates may sign it."""

    location: str
    territory: str | None
    certificates: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class TrustedList:
    """A list of TS 119 612 as it stands; nothing in it is trusted by being read."""

    version: int
    sequence_number: int
    type: str
    territory: str | None
    operator_names: tuple[LocalText, ...]
    issued: datetime
    next_update: datetime | None
    """None for a list that is closed and will not be issued again (cl. 5.3.15)."""
    pointers: tuple[ListedPointer, ...]
    providers: tuple[ListedProvider, ...]
    scheme: bytes | None
    """Our joint scheme's document, in a list of lists of ours."""

    @property
    def services(self) -> tuple[ListedService, ...]:
        """All services of all providers."""
        return tuple(service for provider in self.providers for service in provider.services)

    @property
    def history_entries(self) -> int:
        """How many past statuses are listed."""
        return sum(len(service.periods) - 1 for service in self.services)


@dataclass(frozen=True, slots=True)
class ImportedList:
    """A list, and what its signature is worth by itself."""

    list: TrustedList
    signer: bytes | None
    """The certificate whose signature holds; None for a list without a signature."""


def import_list(data: bytes, expected_signer: bytes | None = None) -> ImportedList:
    """Read a list and verify its signature.

    Args:
        data: the XML.
        expected_signer: the only certificate (DER) that may have signed it, where one is known.

    Raises:
        ListMalformed: not XML within bounds, or against the schema's structure.
        SignatureInvalid: the signature does not hold, is wrapped, missing where one is expected, or somebody else's.
    """
    signed = verify_list(data)
    if expected_signer is not None and (signed is None or signed.certificate != expected_signer):
        raise SignatureInvalid("the list is not signed by the certificate that it should be signed by")
    root = parse_xml(data) if signed is None else signed.root
    return ImportedList(read_list(root), None if signed is None else signed.certificate)


# --- structure ---------------------------------------------------------------------------------------------------------


def read_list(root: Any) -> TrustedList:  # noqa: ANN401 - an lxml element
    """Read the tree of a list.

    Raises:
        ListMalformed: it departs from the schema's structure.
    """
    if root.tag != f"{_T}TrustServiceStatusList":
        raise ListMalformed("the XML is not a trusted list")
    _check_structure(root)
    info = root.find(f"{_T}SchemeInformation")
    version = _number(info, "TSLVersionIdentifier")
    if version not in (5, 6):
        raise ListMalformed(f"version {version} of the list's format is not known")
    closed = info.find(f"{_T}NextUpdate/{_T}dateTime")
    scheme = info.find(f"{_T}SchemeExtensions/{_T}Extension/{{{names.OURS}}}Scheme")
    providers = root.findall(f"{_T}TrustServiceProviderList/{_T}TrustServiceProvider")
    return TrustedList(
        version=version,
        sequence_number=_number(info, "TSLSequenceNumber"),
        type=_text(info, "TSLType"),
        territory=_text(info, "SchemeTerritory") if info.find(f"{_T}SchemeTerritory") is not None else None,
        operator_names=_texts(info, "SchemeOperatorName"),
        issued=_time(_text(info, "ListIssueDateTime")),
        next_update=None if closed is None else _time(closed.text),
        pointers=tuple(_pointer(p) for p in info.findall(f"{_T}PointersToOtherTSL/{_T}OtherTSLPointer")),
        providers=tuple(_provider(provider) for provider in providers),
        scheme=None if scheme is None or scheme.text is None else scheme.text.encode(),
    )


def _check_structure(root: Any) -> None:  # noqa: ANN401 - an lxml element
    """Check the order and number of elements as annex C gives them."""
    for element in root.iter(f"{_T}*"):
        name = element.tag.removeprefix(_T)
        pattern = names.CHILDREN.get(name)
        if pattern is None:
            continue
        children = "".join(f"{child.tag.rpartition('}')[2]} " for child in element)
        if pattern.fullmatch(children) is None:
            raise ListMalformed(f"{name} has not the elements that the schema gives it")


def _text(parent: Any, name: str) -> str:  # noqa: ANN401 - an lxml element
    element = parent.find(f"{_T}{name}")
    return _content(element, name)


def _content(element: Any, name: str) -> str:  # noqa: ANN401 - an lxml element
    text = None if element is None else element.text
    if text is None or not 0 < len(text.strip()) or len(text) > _MAX_TEXT:
        raise ListMalformed(f"{name} has no text, or too much of it")
    return str(text).strip()


def _number(parent: Any, name: str) -> int:  # noqa: ANN401 - an lxml element
    text = _text(parent, name)
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise ListMalformed(f"{name} is not a number")
    return int(text)


def _time(text: str | None) -> datetime:
    try:
        at = datetime.fromisoformat((text or "").strip())
    except ValueError as error:
        raise ListMalformed("a date and time is not of the form") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)  # cl. 5.1.3: UTC


def _texts(parent: Any, name: str) -> tuple[LocalText, ...]:  # noqa: ANN401 - an lxml element
    found = parent.find(f"{_T}{name}")
    if found is None:
        raise ListMalformed(f"{name} is missing")
    children = [child for child in found if child.tag.removeprefix(_T) in _TEXTS]
    return tuple(LocalText(child.get(names.XML_LANG, ""), _content(child, name)) for child in children)


def _certificates(element: Any) -> tuple[bytes, ...]:  # noqa: ANN401 - an lxml element
    """Return the certificates of digital identities; a key or name alone is passed over (cl. 5.5.3)."""
    found = []
    for value in element.iter(f"{_T}X509Certificate"):
        try:
            found.append(base64.b64decode("".join((value.text or "").split()), validate=True))
        except (binascii.Error, ValueError) as error:
            raise ListMalformed("a certificate of the list is not base64") from error
    return tuple(found)


def _pointer(element: Any) -> ListedPointer:  # noqa: ANN401 - an lxml element
    territory = element.find(f"{_T}AdditionalInformation/{_T}OtherInformation/{_T}SchemeTerritory")
    return ListedPointer(
        _text(element, "TSLLocation"), None if territory is None else territory.text, _certificates(element)
    )


def _provider(element: Any) -> ListedProvider:  # noqa: ANN401 - an lxml element
    info = element.find(f"{_T}TSPInformation")
    uris = _texts(info, "TSPInformationURI")
    services = element.findall(f"{_T}TSPServices/{_T}TSPService")
    return ListedProvider(
        _texts(info, "TSPName"), uris[0].value if uris else None, tuple(_service(s) for s in services)
    )


def _service(element: Any) -> ListedService:  # noqa: ANN401 - an lxml element
    info = element.find(f"{_T}ServiceInformation")
    history = element.findall(f"{_T}ServiceHistory/{_T}ServiceHistoryInstance")
    earlier = sorted((_period(entry) for entry in history), key=lambda period: period.starting_time)
    current = _period(info)
    if earlier and earlier[-1].starting_time > current.starting_time:
        raise ListMalformed("an entry of a service's history is newer than its current status")
    definition = info.find(f"{_T}TSPServiceDefinitionURI")
    identifier = info.find(f"{_T}ServiceInformationExtensions/{_T}Extension/{{{names.OURS}}}ServiceIdentifier")
    return ListedService(
        names=_texts(info, "ServiceName"),
        certificates=_certificates(info.find(f"{_T}ServiceDigitalIdentity")),
        periods=(*earlier, current),
        supply_points=tuple(
            SupplyPoint(point.get("type", "").removeprefix(names.SUPPLY_PREFIX), _content(point, "ServiceSupplyPoint"))
            for point in info.findall(f"{_T}ServiceSupplyPoints/{_T}ServiceSupplyPoint")
        ),
        definition_uri=None if definition is None else _texts(info, "TSPServiceDefinitionURI")[0].value,
        identifier=None if identifier is None else _content(identifier, "ServiceIdentifier"),
    )


def _period(element: Any) -> ListedPeriod:  # noqa: ANN401 - an lxml element
    return ListedPeriod(
        _text(element, "ServiceTypeIdentifier"),
        _text(element, "ServiceStatus"),
        _time(_text(element, "StatusStartingTime")),
    )


# --- ours, back to where they came from --------------------------------------------------------------------------------


def region_list_of(read: TrustedList) -> RegionList:
    """Return the section that one of our exports was written from.

    Raises:
        ListMalformed: it is not one of ours.
    """
    region = next((region for region in Region if region.territory == read.territory), None)
    if region is None or read.next_update is None or read.type != names.list_type(region.territory):
        raise ListMalformed("the list is not one of the three regions")
    made = RegionList(
        region=region,
        operator_names=read.operator_names,
        sequence_number=read.sequence_number,
        issued=read.issued,
        next_update=read.next_update,
        providers=tuple(_provider_of(provider, region) for provider in read.providers),
    )
    return parse_region_list(write_region_list(made))  # one gate of form for both forms


def _provider_of(read: ListedProvider, region: Region) -> TrustServiceProvider:
    services = tuple(_service_of(service, region, read.names[0].value) for service in read.services)
    return TrustServiceProvider(read.names, read.information_uri or "", services)


def _service_of(read: ListedService, region: Region, provider: str) -> TrustService:
    try:
        types = {ServiceType(period.type) for period in read.periods}
        periods = tuple(StatusPeriod(ServiceStatus(period.status), period.starting_time) for period in read.periods)
        key_sha256 = certificate_key_hash(read.certificates[0])
    except (ValueError, IndexError, CertificateMalformed) as error:
        raise ListMalformed("a service is not of the form that the three regions use") from error
    if len(types) != 1 or read.identifier is None:
        raise ListMalformed("a service is not of the form that the three regions use")
    return TrustService(
        id=read.identifier,
        region=region,
        provider=provider,
        type=types.pop(),
        names=read.names,
        certificates=read.certificates,
        key_sha256=key_sha256,
        periods=periods,
        supply_points=read.supply_points,
        definition_uri=read.definition_uri,
    )


def scheme_of(read: TrustedList) -> Scheme:
    """Return the joint scheme that a list of lists of ours carries.

    Raises:
        ListMalformed: it carries none.
    """
    if read.scheme is None or read.type != names.LIST_OF_LISTS:
        raise ListMalformed("the list carries no joint scheme")
    return parse_scheme(read.scheme)
