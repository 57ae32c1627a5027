"""A listed service as plain data, for commands, the API and the pages.

Owns:    the shape. Leaves what it means to `recognition`; the signed documents remain the source.
"""

from trust_lists.model import TrustService
from trust_lists.strict_json import write_instant


def service_row(service: TrustService) -> dict[str, object]:
    """Return a service as JSON for people and programs; the signed documents remain the source."""
    admission = service.admission
    return {
        "id": service.id,
        "region": service.region.value,
        "provider": service.provider,
        "type": service.type.word,
        "name": service.name,
        "status": service.status.word,
        "key_sha256": service.key_sha256,
        "admitted_since": write_instant(admission.since) if admission else None,
        "admitted_until": write_instant(admission.until) if admission and admission.until else None,
        "history": [
            {"status": period.status.word, "starting_time": write_instant(period.starting_time)}
            for period in service.periods
        ],
        "certificate_types": [
            {"name": kind.name, "policy_oid_prefix": kind.policy_oid_prefix, "purposes": list(kind.purposes)}
            for kind in service.certificate_types
        ],
    }
