"""Writing a region's document: as it is published, and as officers review it.

Owns:    the JSON form on its way out. Leaves reading to `document`, the layout of lines to `line_layout`.
Rules:   `document.parse_region_list(write_region_list(value)) == value`, and the same for the readable form.
Spec:    ETSI TS 119 602 v1.1.1 (member names of the JSON binding).
"""

import base64
from datetime import datetime
from typing import Any

from trust_lists.document import HISTORY_NEVER_REMOVED, LIST_TYPE
from trust_lists.line_layout import join_section
from trust_lists.model import LocalText, RegionList, ServiceStatus, TrustService, TrustServiceProvider
from trust_lists.strict_json import Json, write_instant, write_object, write_value


def write_region_list(region_list: RegionList) -> bytes:
    """Write a region's document as it is published: one service a line."""
    return join_section(
        write_value(_write_information(region_list)),
        (
            (
                write_value(_write_provider_information(provider)),
                (write_value(_write_service(s)) for s in provider.services),
            )
            for provider in region_list.providers
        ),
    )


def write_readable(region_list: RegionList) -> bytes:
    """Write a region's document for review: one member a line, as drafts lie in the workspace."""
    return write_object(
        {
            "ListAndSchemeInformation": _write_information(region_list),
            "TrustedEntitiesList": [
                {
                    "TrustedEntityInformation": _write_provider_information(provider),
                    "TrustedEntityServices": [_write_service(service) for service in provider.services],
                }
                for provider in region_list.providers
            ],
        }
    )


def _write_information(region_list: RegionList) -> Json:
    return {
        "LoTEVersionIdentifier": 1,
        "LoTESequenceNumber": region_list.sequence_number,
        "LoTEType": LIST_TYPE,
        "SchemeOperatorName": write_names(region_list.operator_names),
        "SchemeTerritory": region_list.region.territory,
        "HistoricalInformationPeriod": HISTORY_NEVER_REMOVED,
        "ListIssueDateTime": write_instant(region_list.issued),
        "NextUpdate": write_instant(region_list.next_update),
    }


def _write_provider_information(provider: TrustServiceProvider) -> Json:
    return {
        "TEName": write_names(provider.names),
        "TEInformationURI": [{"lang": "en", "uriValue": provider.information_uri}],
    }


def _write_service(service: TrustService) -> Json:
    information: dict[str, Any] = {
        "ServiceTypeIdentifier": service.type.value,
        "ServiceName": write_names(service.names),
        "ServiceDigitalIdentity": {
            "X509Certificates": [{"val": base64.b64encode(der).decode("ascii")} for der in service.certificates]
        },
        **_write_period(service.periods[-1].status, service.periods[-1].starting_time),
    }
    if service.supply_points:
        information["ServiceSupplyPoints"] = [
            {"ServiceType": point.kind, "uriValue": point.uri} for point in service.supply_points
        ]
    if service.definition_uri is not None:
        information["ServiceDefinitionURI"] = [{"lang": "en", "uriValue": service.definition_uri}]
    information["ServiceInformationExtensions"] = {"ServiceIdentifier": service.id}
    history = [_write_period(period.status, period.starting_time) for period in reversed(service.periods[:-1])]
    return {"ServiceInformation": information, "ServiceHistory": history}


def _write_period(status: ServiceStatus, starting_time: datetime) -> Json:
    return {"ServiceStatus": status.value, "StatusStartingTime": write_instant(starting_time)}


def write_names(names: tuple[LocalText, ...]) -> list[Json]:
    """Write texts with their languages."""
    return [{"lang": name.lang, "value": name.value} for name in names]
