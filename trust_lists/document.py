"""The JSON form of the list: one document per region, and one for the joint scheme.

Owns:    parsing bytes into `model` values and writing them back. Leaves signatures to `envelope`, rules of meaning to `acceptance`.
Rules:   parse(write(value)) == value; what the published JSON Schema (`region_list.schema.json`) refuses, the parser refuses,
         and the other way round for everything that a schema can say (`tests/trust_lists/test_document.py` holds the two together).
Spec:    ETSI TS 119 602 v1.1.1 (member names of the JSON binding), TS 119 612 cl. 5.3 to 5.6; our members stand inside
         `ServiceInformationExtensions` and in the scheme document, which has no ETSI counterpart.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from trust_lists.certificates import MAX_CERTIFICATE_BYTES, certificate_key_hash
from trust_lists.errors import CertificateMalformed, ListMalformed
from trust_lists.line_layout import split_section
from trust_lists.model import (
    LocalText,
    RegionList,
    ServiceStatus,
    ServiceType,
    StatusPeriod,
    SupplyPoint,
    TrustService,
    TrustServiceProvider,
    ascending,
)
from trust_lists.strict_json import (
    Json,
    instant,
    members,
    number,
    parse_object,
    parse_value,
    refuse,
    sequence,
    text,
)
from trust_lists.vocabulary import Region

LIST_TYPE = "urn:gba-trust:lote-type:region"
MAX_SECTION_BYTES = 64 * 1024 * 1024
MAX_PROVIDERS = 2_000
MAX_SERVICES_PER_PROVIDER = 10_000
MAX_PERIODS = 200
HISTORY_NEVER_REMOVED = 65535
"""HistoricalInformationPeriod that says "entries are never removed" (TS 119 612 cl. 5.3.12)."""

IDENTIFIER = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)
WORD = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", re.ASCII)
_URI = re.compile(r"(?:https?|ldaps?)://[!-~]{1,1000}", re.ASCII)
SUPPLY_KINDS = frozenset({"ocsp", "crl", "ldap", "ca-issuers", "tsa"})
_TERRITORIES = {region.territory: region for region in Region}
_TYPES = {kind.value: kind for kind in ServiceType}
_STATUSES = {status.value: status for status in ServiceStatus}


# --- reading ---------------------------------------------------------------------------------------------------------


Known = Mapping[bytes, TrustService]
"""Services that were parsed before, by the SHA-256 of their line."""


@dataclass(frozen=True, slots=True)
class ParsedSection:
    """A region's document, and its services by the hash of their line, for the next version."""

    section: RegionList
    known: Known


def parse_region_list(data: bytes) -> RegionList:
    """Read a region's document.

    Raises:
        ListMalformed: any departure from the published form, a certificate that cannot be read, periods out of order.
    """
    return parse_section(data, {}).section


def parse_section(data: bytes, known: Known) -> ParsedSection:
    """Read a region's document; a line that was parsed before is not parsed again.

    Args:
        data: the document.
        known: what an earlier version's parsing gave, for the same region.

    Raises:
        ListMalformed: as `parse_region_list`.
    """
    if len(data) > MAX_SECTION_BYTES:
        raise ListMalformed("the document is too long")
    lines = split_section(data)
    if lines is None:
        return ParsedSection(_parse_whole(data), {})
    info = members(parse_value(lines.information), "ListAndSchemeInformation", _INFORMATION)
    region = parse_territory(info["SchemeTerritory"], "SchemeTerritory")
    if len(lines.providers) > MAX_PROVIDERS:
        refuse("TrustedEntitiesList", f"not an array of 0 to {MAX_PROVIDERS} items")
    parsed: dict[bytes, TrustService] = {}
    providers = tuple(
        _parse_lines(head, services, f"TrustedEntitiesList[{index}]", region, known, parsed)
        for index, (head, services) in enumerate(lines.providers)
    )
    return ParsedSection(_region_list(info, region, providers), parsed)


def _parse_lines(
    head: bytes, lines: tuple[bytes, ...], where: str, region: Region, known: Known, parsed: dict[bytes, TrustService]
) -> TrustServiceProvider:
    names, uri = _parse_provider_information(parse_value(head), where)
    if len(lines) > MAX_SERVICES_PER_PROVIDER:
        refuse(f"{where}.TrustedEntityServices", f"not an array of 0 to {MAX_SERVICES_PER_PROVIDER} items")
    services = []
    for index, line in enumerate(lines):
        digest = hashlib.sha256(line).digest()
        service = known.get(digest)
        if service is None or service.provider != names[0].value or service.region is not region:
            place = f"{where}.TrustedEntityServices[{index}]"
            service = _parse_service(parse_value(line), place, region, names[0].value)
        parsed[digest] = service
        services.append(service)
    return TrustServiceProvider(names, uri, tuple(services))


def _parse_whole(data: bytes) -> RegionList:
    """Read a document of any layout."""
    document = members(parse_object(data, max_bytes=MAX_SECTION_BYTES), "list", _LIST)
    info = members(document["ListAndSchemeInformation"], "ListAndSchemeInformation", _INFORMATION)
    region = parse_territory(info["SchemeTerritory"], "SchemeTerritory")
    providers = sequence(
        document["TrustedEntitiesList"],
        "TrustedEntitiesList",
        lambda value, where: _parse_provider(value, where, region),
        most=MAX_PROVIDERS,
    )
    return _region_list(info, region, providers)


def _region_list(info: Json, region: Region, providers: tuple[TrustServiceProvider, ...]) -> RegionList:
    number(info["LoTEVersionIdentifier"], "LoTEVersionIdentifier", most=1)
    if info["LoTEType"] != LIST_TYPE:
        refuse("LoTEType", "another type of list")
    number(info["HistoricalInformationPeriod"], "HistoricalInformationPeriod", least=HISTORY_NEVER_REMOVED, most=65535)
    parsed = RegionList(
        region=region,
        operator_names=parse_names(info["SchemeOperatorName"], "SchemeOperatorName"),
        sequence_number=number(info["LoTESequenceNumber"], "LoTESequenceNumber"),
        issued=instant(info["ListIssueDateTime"], "ListIssueDateTime"),
        next_update=instant(info["NextUpdate"], "NextUpdate"),
        providers=providers,
    )
    _check_unique(parsed)
    return parsed


def _check_unique(parsed: RegionList) -> None:
    services = parsed.services
    if len({service.id for service in services}) != len(services):
        refuse("TrustedEntitiesList", "a ServiceIdentifier occurs twice")
    if len({service.key_sha256 for service in services}) != len(services):
        refuse("TrustedEntitiesList", "one key stands for two services")


_LIST = frozenset({"ListAndSchemeInformation", "TrustedEntitiesList"})
_INFORMATION = frozenset(
    {
        "LoTEVersionIdentifier", "LoTESequenceNumber", "LoTEType", "SchemeOperatorName", "SchemeTerritory",
        "HistoricalInformationPeriod", "ListIssueDateTime", "NextUpdate",
    }
)  # fmt: skip
_PROVIDER = frozenset({"TrustedEntityInformation", "TrustedEntityServices"})
_PROVIDER_INFORMATION = frozenset({"TEName", "TEInformationURI"})
_SERVICE = frozenset({"ServiceInformation", "ServiceHistory"})
_SERVICE_INFORMATION = frozenset(
    {
        "ServiceTypeIdentifier", "ServiceName", "ServiceDigitalIdentity", "ServiceStatus", "StatusStartingTime",
        "ServiceInformationExtensions",
    }
)  # fmt: skip
_SERVICE_OPTIONAL = frozenset({"ServiceSupplyPoints", "ServiceDefinitionURI"})
_EXTENSIONS = frozenset({"ServiceIdentifier"})
_PERIOD = frozenset({"ServiceStatus", "StatusStartingTime"})
_LANG_VALUE = frozenset({"lang", "value"})
_LANG_URI = frozenset({"lang", "uriValue"})
_SUPPLY = frozenset({"ServiceType", "uriValue"})


def _parse_provider(value: object, where: str, region: Region) -> TrustServiceProvider:
    entity = members(value, where, _PROVIDER)
    names, uri = _parse_provider_information(entity["TrustedEntityInformation"], where)
    services = sequence(
        entity["TrustedEntityServices"],
        f"{where}.TrustedEntityServices",
        lambda item, place: _parse_service(item, place, region, names[0].value),
        most=MAX_SERVICES_PER_PROVIDER,
    )
    return TrustServiceProvider(names, uri, services)


def _parse_provider_information(value: object, where: str) -> tuple[tuple[LocalText, ...], str]:
    info = members(value, f"{where}.TrustedEntityInformation", _PROVIDER_INFORMATION)
    return parse_names(info["TEName"], f"{where}.TEName"), _parse_uri(
        info["TEInformationURI"], f"{where}.TEInformationURI"
    )


def _parse_service(value: object, where: str, region: Region, provider: str) -> TrustService:
    service = members(value, where, _SERVICE)
    info = members(service["ServiceInformation"], where, _SERVICE_INFORMATION, _SERVICE_OPTIONAL)
    extensions = members(info["ServiceInformationExtensions"], where, _EXTENSIONS)
    certificates, key_sha256 = _parse_identity(info["ServiceDigitalIdentity"], f"{where}.ServiceDigitalIdentity")
    kind = _TYPES.get(info["ServiceTypeIdentifier"]) if isinstance(info["ServiceTypeIdentifier"], str) else None
    if kind is None:
        refuse(f"{where}.ServiceTypeIdentifier", "an unknown type of service")
    return TrustService(
        id=text(extensions["ServiceIdentifier"], f"{where}.ServiceIdentifier", pattern=IDENTIFIER),
        region=region,
        provider=provider,
        type=kind,
        names=parse_names(info["ServiceName"], f"{where}.ServiceName"),
        certificates=certificates,
        key_sha256=key_sha256,
        periods=_parse_periods(info, service["ServiceHistory"], where),
        supply_points=sequence(
            info.get("ServiceSupplyPoints", []), f"{where}.ServiceSupplyPoints", _parse_supply_point, most=20
        ),
        definition_uri=_parse_uri(info["ServiceDefinitionURI"], f"{where}.ServiceDefinitionURI")
        if "ServiceDefinitionURI" in info
        else None,
    )


def _parse_periods(info: Json, history: object, where: str) -> tuple[StatusPeriod, ...]:
    """Put the current status behind its history, which stands newest first (TS 119 612 cl. 5.6)."""
    earlier = sequence(history, f"{where}.ServiceHistory", _parse_history_entry, most=MAX_PERIODS)
    periods = (*reversed(earlier), _parse_period(info, where))
    if not ascending(periods):
        refuse(f"{where}.ServiceHistory", "starting times do not descend")
    return periods


def _parse_history_entry(value: object, where: str) -> StatusPeriod:
    return _parse_period(members(value, where, _PERIOD), where)


def _parse_period(entry: Json, where: str) -> StatusPeriod:
    status, start = entry["ServiceStatus"], entry["StatusStartingTime"]
    if not isinstance(status, str) or not isinstance(start, str):
        refuse(f"{where}.ServiceStatus", "not a text")
    return _period(status, start)


@lru_cache(maxsize=16_384)  # many services change status in one instant; values are immutable
def _period(status: str, start: str) -> StatusPeriod:
    known = _STATUSES.get(status)
    if known is None:
        refuse("ServiceStatus", "an unknown status")
    return StatusPeriod(known, instant(start, "StatusStartingTime"))


def _parse_identity(value: object, where: str) -> tuple[tuple[bytes, ...], str]:
    """Return the certificates of one identity, and the hash of the key that they share."""
    identity = members(value, where, frozenset({"X509Certificates"}))
    entries = sequence(identity["X509Certificates"], f"{where}.X509Certificates", _parse_certificate, least=1, most=10)
    hashes = {key_sha256 for _, key_sha256 in entries}
    if len(hashes) > 1:
        refuse(where, "the certificates of one identity carry different keys")
    return tuple(certificate for certificate, _ in entries), hashes.pop()


def _parse_certificate(value: object, where: str) -> tuple[bytes, str]:
    encoded = members(value, where, frozenset({"val"}))["val"]
    if not isinstance(encoded, str) or len(encoded) > MAX_CERTIFICATE_BYTES * 4 // 3 + 4:
        refuse(where, "not a certificate")
    try:
        certificate = base64.b64decode(encoded, validate=True)
        return certificate, certificate_key_hash(certificate)
    except (binascii.Error, ValueError, CertificateMalformed):
        refuse(where, "not a certificate")


def _parse_supply_point(value: object, where: str) -> SupplyPoint:
    point = members(value, where, _SUPPLY)
    kind = text(point["ServiceType"], f"{where}.ServiceType")
    if kind not in SUPPLY_KINDS:
        refuse(f"{where}.ServiceType", "an unknown kind of supply point")
    return SupplyPoint(kind, text(point["uriValue"], f"{where}.uriValue", pattern=_URI))


def parse_territory(value: object, where: str) -> Region:
    """Return the region whose ISO 3166 code this is."""
    region = _TERRITORIES.get(value) if isinstance(value, str) else None
    return region if region is not None else refuse(where, "not a territory of this scheme")


def parse_names(value: object, where: str) -> tuple[LocalText, ...]:
    """Return one text per language, at least one, no language twice."""
    names = sequence(value, where, _parse_local_text, least=1, most=20)
    if len({name.lang for name in names}) != len(names):
        refuse(where, "a language occurs twice")
    return names


def _parse_local_text(value: object, where: str) -> LocalText:
    entry = members(value, where, _LANG_VALUE)
    return LocalText(text(entry["lang"], where, pattern=_LANGUAGE, most=32), text(entry["value"], where))


def _parse_uri(value: object, where: str) -> str:
    return sequence(value, where, _parse_local_uri, least=1, most=1)[0]


def _parse_local_uri(value: object, where: str) -> str:
    entry = members(value, where, _LANG_URI)
    text(entry["lang"], where, pattern=_LANGUAGE, most=32)
    return text(entry["uriValue"], where, pattern=_URI)


def parse_words(value: object, where: str) -> tuple[str, ...]:
    """Return names of purposes, none twice."""
    words = sequence(value, where, lambda item, place: text(item, place, pattern=WORD), most=20)
    if len(set(words)) != len(words):
        refuse(where, "a name occurs twice")
    return words
