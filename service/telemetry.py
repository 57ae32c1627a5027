"""Logs and metrics: what an operator may know, and nothing that a person would mind.

Owns:    JSON logs on standard error, request metrics by route template, the request's reference number.
Rules:   1 neither raw paths, queries, headers nor bodies are logged: upstream URLs carry codes and secrets
         2 libraries that log addresses (httpx, uvicorn access) are kept at warning
         3 metrics are labelled by route template, never by a value
"""

import logging
import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REFERENCE_BYTES = 6
READINESS = "/readyz"
METHODS = frozenset({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"})
"""A probe that is told "not yet" is no failed request."""
QUIET = (
    "httpx",
    "httpcore",
    "uvicorn.access",
    "authlib",
    "joserfc",
    "pyhanko",
    "pyhanko_certvalidator",
    "tuf",
    "alembic",
)


class Metrics:
    """The service's own metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gba_trust_requests_total", "HTTP requests", ["route", "method", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "gba_trust_request_seconds",
            "Time to answer, seconds",
            ["route", "method"],
            registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.trust_list_version = Gauge(
            "gba_trust_trust_list_version", "Version of the accepted trust list, 0 without one", registry=self.registry
        )
        self.trust_list_seconds_left = Gauge(
            "gba_trust_trust_list_seconds_left",
            "Seconds until the accepted trust list is stale",
            registry=self.registry,
        )


class RequestTelemetry:
    """ASGI middleware: counts, times, and gives each request a reference number (`scope["state"]["reference"]`)."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._log = structlog.get_logger("http")
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reference = secrets.token_hex(REFERENCE_BYTES)
        scope.setdefault("state", {})["reference"] = reference
        started = time.perf_counter()
        status = 500

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            route = route_template(scope)
            seconds = time.perf_counter() - started
            counter, histogram = self._labelled(route, scope["method"], status)
            counter.inc()
            histogram.observe(seconds)
            if status >= 500 and route != READINESS:
                self._log.error("request_failed", route=route, status=status, reference=reference)

    def _labelled(self, route: str, method: str, status: int) -> tuple[Counter, Histogram]:
        """Return the metrics of one label set; looked up once, for there are few of them: a strange method is `other`."""
        method = method if method in METHODS else "other"
        key = route, method, status
        found = self._children.get(key)
        if found is None:
            metrics = self._metrics
            found = metrics.requests.labels(route, method, str(status)), metrics.seconds.labels(route, method)
            self._children[key] = found
        return found


def route_template(scope: Scope) -> str:
    """Return the template of the route that served the request, `unmatched` when none did; never the raw path.

    FastAPI notes the route for its own routes only; for plain Starlette routes the endpoint leads to it.
    """
    path = getattr(scope.get("route"), "path", None)
    if path is not None:
        return str(path)
    return _templates(scope.get("app")).get(id(scope.get("endpoint")), "unmatched")


def _templates(application: object) -> dict[int, str]:
    """Return endpoint (by identity) → path template of an application; worked out once and kept in its state."""
    state = getattr(application, "state", None)
    known: dict[int, str] | None = getattr(state, "route_templates", None)
    if known is None:
        known = dict(_walk(getattr(application, "routes", ())))
        if state is not None:
            state.route_templates = known
    return known


def _walk(routes: Iterable[object], prefix: str = "") -> Iterator[tuple[int, str]]:
    for route in routes:
        path = prefix + str(getattr(route, "path", ""))
        for holder in (getattr(route, "endpoint", None), getattr(route, "app", None)):
            if holder is not None:
                yield id(holder), path
        yield from _walk(getattr(route, "routes", None) or (), path)


def set_up_logging(stream: TextIO = sys.stderr, level: int = logging.INFO) -> None:
    """Send JSON lines to `stream`; quieten libraries that would log addresses or tokens."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(stream=stream, level=logging.WARNING, format="%(levelname)s %(name)s %(message)s", force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
