"""The JSON form of the joint scheme: purposes, agreements, admitted services.

Owns:    parsing and writing `scheme.json`. Leaves the regions' documents to `document`, the meaning to `acceptance`.
Rules:   as in `document`: strict, bounded, parse(write(value)) == value.
Spec:    ours; words and URIs after the mutual-recognition (MRA) extension of ETSI TS 119 612 as EU DSS reads it (enacted, repealed).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from trust_lists.document import IDENTIFIER, WORD, parse_names, parse_territory, parse_words
from trust_lists.document_writing import write_names
from trust_lists.errors import ListMalformed
from trust_lists.line_layout import join_scheme, split_scheme
from trust_lists.model import (
    Admission,
    Agreement,
    AgreementPeriod,
    AgreementStatus,
    CertificateType,
    Purpose,
    Scheme,
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
    write_instant,
    write_object,
    write_value,
)

MAX_SCHEME_BYTES = 32 * 1024 * 1024
MAX_ADMISSIONS = 60_000

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SCHEME = frozenset({"SchemeInformation", "Purposes", "Agreements", "AdmittedServices"})
_INFORMATION = frozenset({"SchemeName", "SequenceNumber", "ListIssueDateTime", "NextUpdate"})
_PURPOSE = frozenset({"Purpose", "SchemeTerritory", "Description"})
_AGREEMENT = frozenset(
    {"AgreementIdentifier", "AgreementName", "Territories", "Purposes", "AgreementStatus", "StatusStartingTime", "AgreementHistory"}
)  # fmt: skip
_AGREEMENT_PERIOD = frozenset({"AgreementStatus", "StatusStartingTime"})
_ADMISSION = frozenset(
    {"ServiceIdentifier", "SchemeTerritory", "SubjectPublicKeyInfoSHA256", "AdmissionTime", "CertificateTypes"}
)
_TYPE = frozenset({"CertificateTypeName", "PolicyIdentifierPrefix", "KeyUsage", "Purposes", "AdmissionTime"})
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,38})){1,30}", re.ASCII)
KEY_USAGES = frozenset(
    {"digital_signature", "non_repudiation", "key_encipherment", "data_encipherment", "key_agreement"}
)
_STATUSES = {status.value: status for status in AgreementStatus}


@dataclass(frozen=True, slots=True)
class ParsedScheme:
    """The scheme document, and its admissions by the hash of their line, for the next version."""

    scheme: Scheme
    known: Mapping[bytes, Admission]


def parse_scheme(data: bytes) -> Scheme:
    """Read the scheme document.

    Raises:
        ListMalformed: any departure from the published form.
    """
    return parse_scheme_lines(data, {}).scheme


def parse_scheme_lines(data: bytes, known: Mapping[bytes, Admission]) -> ParsedScheme:
    """Read the scheme document; an admission whose line was parsed before is not parsed again.

    Raises:
        ListMalformed: as `parse_scheme`.
    """
    if len(data) > MAX_SCHEME_BYTES:
        raise ListMalformed("the document is too long")
    lines = split_scheme(data)
    if lines is None:
        document = members(parse_object(data, max_bytes=MAX_SCHEME_BYTES), "scheme", _SCHEME)
        parts = (document["SchemeInformation"], document["Purposes"], document["Agreements"])
        admitted = sequence(document["AdmittedServices"], "AdmittedServices", _parse_admission, most=MAX_ADMISSIONS)
        return ParsedScheme(_scheme(*parts, admitted), {})
    if len(lines.admissions) > MAX_ADMISSIONS:
        refuse("AdmittedServices", f"not an array of 0 to {MAX_ADMISSIONS} items")
    parsed: dict[bytes, Admission] = {}
    admissions: list[Admission] = []
    for index, line in enumerate(lines.admissions):
        digest = hashlib.sha256(line).digest()
        entry = known.get(digest)
        parsed[digest] = entry = entry or _parse_admission(parse_value(line), f"AdmittedServices[{index}]")
        admissions.append(entry)
    parts = (parse_value(lines.information), parse_value(lines.purposes), parse_value(lines.agreements))
    return ParsedScheme(_scheme(*parts, tuple(admissions)), parsed)


def _scheme(information: object, purposes: object, agreements: object, admissions: tuple[Admission, ...]) -> Scheme:
    info = members(information, "SchemeInformation", _INFORMATION)
    scheme = Scheme(
        names=parse_names(info["SchemeName"], "SchemeName"),
        sequence_number=number(info["SequenceNumber"], "SequenceNumber"),
        issued=instant(info["ListIssueDateTime"], "ListIssueDateTime"),
        next_update=instant(info["NextUpdate"], "NextUpdate"),
        purposes=sequence(purposes, "Purposes", _parse_purpose, most=50),
        agreements=sequence(agreements, "Agreements", _parse_agreement, most=50),
        admissions=admissions,
    )
    _check_references(scheme)
    return scheme


def _check_references(scheme: Scheme) -> None:
    names = {purpose.name for purpose in scheme.purposes}
    if len(names) != len(scheme.purposes):
        refuse("Purposes", "a purpose occurs twice")
    if len({agreement.id for agreement in scheme.agreements}) != len(scheme.agreements):
        refuse("Agreements", "an identifier occurs twice")
    if any(not set(agreement.purposes) <= names for agreement in scheme.agreements):
        refuse("Agreements", "an unknown purpose")
    if len({(entry.region, entry.service_id) for entry in scheme.admissions}) != len(scheme.admissions):
        refuse("AdmittedServices", "a service occurs twice")
    types = [kind for entry in scheme.admissions for kind in entry.certificate_types]
    if any(not set(kind.purposes) <= names for kind in types):
        refuse("AdmittedServices", "an unknown purpose")
    if len({entry.key_sha256 for entry in scheme.admissions}) != len(scheme.admissions):
        refuse("AdmittedServices", "a key occurs twice")


def _parse_purpose(value: object, where: str) -> Purpose:
    entry = members(value, where, _PURPOSE)
    return Purpose(
        name=text(entry["Purpose"], f"{where}.Purpose", pattern=WORD),
        region=parse_territory(entry["SchemeTerritory"], f"{where}.SchemeTerritory"),
        descriptions=parse_names(entry["Description"], f"{where}.Description"),
    )


def _parse_agreement(value: object, where: str) -> Agreement:
    entry = members(value, where, _AGREEMENT)
    regions = sequence(entry["Territories"], f"{where}.Territories", parse_territory, least=2, most=2)
    if regions[0] is regions[1]:
        refuse(f"{where}.Territories", "an agreement joins two regions")
    earlier = sequence(entry["AgreementHistory"], f"{where}.AgreementHistory", _parse_history_entry, most=200)
    periods = (*reversed(earlier), _parse_period(entry, where))
    if not ascending(periods):
        refuse(f"{where}.AgreementHistory", "starting times do not descend")
    return Agreement(
        id=text(entry["AgreementIdentifier"], f"{where}.AgreementIdentifier", pattern=IDENTIFIER),
        names=parse_names(entry["AgreementName"], f"{where}.AgreementName"),
        regions=(regions[0], regions[1]),
        purposes=parse_words(entry["Purposes"], f"{where}.Purposes"),
        periods=periods,
    )


def _parse_history_entry(value: object, where: str) -> AgreementPeriod:
    return _parse_period(members(value, where, _AGREEMENT_PERIOD), where)


def _parse_period(entry: Json, where: str) -> AgreementPeriod:
    status = _STATUSES.get(entry["AgreementStatus"]) if isinstance(entry["AgreementStatus"], str) else None
    if status is None:
        refuse(f"{where}.AgreementStatus", "an unknown status")
    return AgreementPeriod(status, instant(entry["StatusStartingTime"], f"{where}.StatusStartingTime"))


def _parse_admission(value: object, where: str) -> Admission:
    entry = members(value, where, _ADMISSION, frozenset({"EndTime"}))
    since, until = _parse_duration(entry, where)
    types = sequence(entry["CertificateTypes"], f"{where}.CertificateTypes", _parse_certificate_type, most=50)
    if len({kind.name for kind in types}) != len(types):
        refuse(f"{where}.CertificateTypes", "a name occurs twice")
    return Admission(
        region=parse_territory(entry["SchemeTerritory"], f"{where}.SchemeTerritory"),
        service_id=text(entry["ServiceIdentifier"], f"{where}.ServiceIdentifier", pattern=IDENTIFIER),
        key_sha256=text(entry["SubjectPublicKeyInfoSHA256"], f"{where}.SubjectPublicKeyInfoSHA256", pattern=_SHA256),
        since=since,
        until=until,
        certificate_types=types,
    )


def _parse_certificate_type(value: object, where: str) -> CertificateType:
    kind = members(value, where, _TYPE, frozenset({"EndTime"}))
    usage = sequence(kind["KeyUsage"], f"{where}.KeyUsage", text, most=len(KEY_USAGES))
    if not set(usage) <= KEY_USAGES:
        refuse(f"{where}.KeyUsage", "an unknown key usage")
    since, until = _parse_duration(kind, where)
    return CertificateType(
        name=text(kind["CertificateTypeName"], f"{where}.CertificateTypeName"),
        policy_oid_prefix=text(kind["PolicyIdentifierPrefix"], f"{where}.PolicyIdentifierPrefix", pattern=_OID),
        purposes=parse_words(kind["Purposes"], f"{where}.Purposes"),
        since=since,
        until=until,
        key_usage=usage,
    )


def _parse_duration(entry: Json, where: str) -> tuple[datetime, datetime | None]:
    since = instant(entry["AdmissionTime"], f"{where}.AdmissionTime")
    until = instant(entry["EndTime"], f"{where}.EndTime") if "EndTime" in entry else None
    if until is not None and until <= since:
        refuse(f"{where}.EndTime", "not after the admission")
    return since, until


def write_scheme(scheme: Scheme) -> bytes:
    """Write the scheme document as it is published: one admission a line."""
    return join_scheme(
        write_value(_write_information(scheme)),
        write_value([_write_purpose(purpose) for purpose in scheme.purposes]),
        write_value([_write_agreement(agreement) for agreement in scheme.agreements]),
        (write_value(_write_admission(admission)) for admission in scheme.admissions),
    )


def write_readable_scheme(scheme: Scheme) -> bytes:
    """Write the scheme document for review: one member a line, as drafts lie in the workspace."""
    return write_object(
        {
            "SchemeInformation": _write_information(scheme),
            "Purposes": [_write_purpose(purpose) for purpose in scheme.purposes],
            "Agreements": [_write_agreement(agreement) for agreement in scheme.agreements],
            "AdmittedServices": [_write_admission(admission) for admission in scheme.admissions],
        }
    )


def _write_information(scheme: Scheme) -> Json:
    return {
        "SchemeName": write_names(scheme.names),
        "SequenceNumber": scheme.sequence_number,
        "ListIssueDateTime": write_instant(scheme.issued),
        "NextUpdate": write_instant(scheme.next_update),
    }


def _write_purpose(purpose: Purpose) -> Json:
    return {
        "Purpose": purpose.name,
        "SchemeTerritory": purpose.region.territory,
        "Description": write_names(purpose.descriptions),
    }


def _write_agreement(agreement: Agreement) -> Json:
    *earlier, current = [_write_period(period) for period in agreement.periods]
    return {
        "AgreementIdentifier": agreement.id,
        "AgreementName": write_names(agreement.names),
        "Territories": [region.territory for region in agreement.regions],
        "Purposes": list(agreement.purposes),
        **current,
        "AgreementHistory": earlier[::-1],
    }


def _write_period(period: AgreementPeriod) -> Json:
    return {"AgreementStatus": period.status.value, "StatusStartingTime": write_instant(period.starting_time)}


def _write_admission(admission: Admission) -> Json:
    return {
        "ServiceIdentifier": admission.service_id,
        "SchemeTerritory": admission.region.territory,
        "SubjectPublicKeyInfoSHA256": admission.key_sha256,
        **_write_duration(admission.since, admission.until),
        "CertificateTypes": [
            {
                "CertificateTypeName": kind.name,
                "PolicyIdentifierPrefix": kind.policy_oid_prefix,
                "KeyUsage": list(kind.key_usage),
                "Purposes": list(kind.purposes),
                **_write_duration(kind.since, kind.until),
            }
            for kind in admission.certificate_types
        ],
    }


def _write_duration(since: datetime, until: datetime | None) -> Json:
    return {"AdmissionTime": write_instant(since)} | ({"EndTime": write_instant(until)} if until is not None else {})
