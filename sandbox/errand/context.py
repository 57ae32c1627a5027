"""What the steps of one errand share: addresses, the citizen's browser, what has been found so far.

Owns:    `Errand`, `StepResult`, and asking the two processes over HTTP. Leaves the order to `run`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sandbox.errand.browser import Browser
from sandbox.errors import ErrandFailed
from sandbox.personas import PERSONAS, Persona
from service.errors import ServiceUnavailable

TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the two processes are."""

    service: str
    management: str
    sandbox: str


@dataclass(frozen=True, slots=True)
class StepResult:
    """One line of the errand: what was proven, and by which document."""

    number: int
    title: str
    proven: str
    document: str


@dataclass(slots=True)
class Errand:
    """One errand in progress."""

    at: Addresses
    web: httpx.AsyncClient
    """Used by the errand itself, without cookies: the readers and operators."""
    browser: Browser
    citizen: Persona = PERSONAS["hk-resident"]
    connector: str = "iam_smart"
    tamper: str | None = None
    portal_errand: str = ""
    outputs: dict[str, bytes] = field(default_factory=dict)
    """File name to content, for `--out`."""
    facts: dict[str, object] = field(default_factory=dict)
    """For the machine summary."""
    work: Path = field(default_factory=Path)
    """A private folder, removed afterwards: the errand's own reader keeps its list copy here."""

    @property
    def root_file(self) -> Path:
        """Where the pinned root of the errand's own reader lies."""
        return self.work / "root.json"

    async def get(self, url: str) -> dict[str, object]:
        """Return the JSON object at an address.

        Raises:
            ErrandFailed: with the code of the problem document that came instead.
        """
        return _object(await self._send("GET", url))

    async def send(self, method: str, url: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        """Send a JSON object and return the one that answers.

        Raises:
            ErrandFailed: with the code of the problem document that came instead.
        """
        return _object(await self._send(method, url, json=dict(body or {})))

    async def press(self, url: str, fields: Mapping[str, str]) -> dict[str, object]:
        """Post form fields, as a button would, and return the JSON object that answers."""
        return _object(await self._send("POST", url, data=dict(fields)))

    async def upload(self, url: str, document: bytes, fields: Mapping[str, str] | None = None) -> dict[str, object]:
        """Post a PDF as the form field `document`."""
        files = {"document": ("document.pdf", document, "application/pdf")}
        return _object(await self._send("POST", url, files=files, data=dict(fields or {})))

    async def download(self, url: str) -> bytes:
        """Return the bytes at an address."""
        response = await self._send("GET", url)
        if response.status_code != httpx.codes.OK:
            _object(response)
        return response.content

    async def post_bytes(self, url: str, content: bytes) -> bytes:
        """Post bytes as they are and return the bytes that answer."""
        response = await self._send("POST", url, content=content)
        if response.status_code != httpx.codes.OK:
            _object(response)
        return response.content

    async def _send(self, method: str, url: str, **arguments: object) -> httpx.Response:
        try:
            return await self.web.request(method, url, **arguments)  # type: ignore[arg-type]  # httpx's own keywords
        except httpx.TransportError as error:
            raise ServiceUnavailable(f"{httpx.URL(url).netloc.decode()} does not answer; is ./run running?") from error


def _object(response: httpx.Response) -> dict[str, object]:
    try:
        members = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        members = {}
    if response.is_success and isinstance(members, dict):
        return members
    code = members.get("code") or members.get("error") if isinstance(members, dict) else None
    detail = members.get("detail") or members.get("error_description") if isinstance(members, dict) else None
    raise ErrandFailed(
        str(code or f"http_{response.status_code}"), str(detail or f"{response.request.url.path} refused")
    )


def text(members: Mapping[str, object], name: str) -> str:
    """Return a string member.

    Raises:
        ErrandFailed: it is missing.
    """
    value = members.get(name)
    if not isinstance(value, str):
        raise ErrandFailed("unexpected_answer", f"the answer has no {name}")
    return value
