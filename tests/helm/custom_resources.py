"""Small strict schemas of the custom resources that the chart can make; no schema of theirs is bundled anywhere.

Spec:    prometheus-operator `monitoring.coreos.com/v1`; Gateway API `gateway.networking.k8s.io/v1`. Only the fields that the chart uses.
"""

from typing import Any

TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }


def _many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


def _resource(api_version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _object({"name": TEXT, "namespace": TEXT, "labels": TEXTS}, {"annotations": TEXTS})
    return _object({"apiVersion": {"const": api_version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec})


PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
ENDPOINT = _object({"port": TEXT, "path": {"const": "/metrics"}, "interval": DURATION, "scrapeTimeout": DURATION})
ALERT = _object(
    {
        "alert": {"type": "string", "pattern": "^GbaTrust[A-Za-z]+$"},
        "expr": TEXT,
        "for": DURATION,
        "labels": _object({"severity": {"enum": ["critical", "warning"]}}),
        "annotations": _object({"summary": TEXT, "description": TEXT}),
    }
)
PARENT = _object({"name": TEXT}, {"namespace": TEXT, "sectionName": TEXT, "port": PORT})
MATCH = _object({"path": _object({"type": {"enum": ["PathPrefix", "Exact"]}, "value": {"const": "/"}})})

CUSTOM_RESOURCES: dict[str, dict[str, Any]] = {
    "ServiceMonitor": _resource(
        "monitoring.coreos.com/v1",
        "ServiceMonitor",
        _object(
            {
                "namespaceSelector": _object({"matchNames": _many(TEXT)}),
                "selector": _object({"matchLabels": TEXTS}),
                "endpoints": _many(ENDPOINT),
            }
        ),
    ),
    "PrometheusRule": _resource(
        "monitoring.coreos.com/v1",
        "PrometheusRule",
        _object({"groups": _many(_object({"name": TEXT, "rules": _many(ALERT)}))}),
    ),
    "HTTPRoute": _resource(
        "gateway.networking.k8s.io/v1",
        "HTTPRoute",
        _object(
            {
                "parentRefs": _many(PARENT),
                "hostnames": _many({"type": "string", "pattern": "^[a-z0-9.-]+$"}),
                "rules": _many(
                    _object({"matches": _many(MATCH), "backendRefs": _many(_object({"name": TEXT, "port": PORT}))})
                ),
            }
        ),
    ),
}
