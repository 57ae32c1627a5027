"""The portal as a client of the signing API.

Owns:    three calls: open a transaction, ask for its status, fetch the signed document.
"""

from collections.abc import Mapping

import httpx

from sandbox.portal.errors import ProviderRefused

PATH = "/api/v1/signing/transactions"
REASON = "Cross-border mortgage application"


class SigningClient:
    """Speaks to the signing API with the citizen's access token."""

    def __init__(self, service_url: str, http: httpx.AsyncClient) -> None:
        self._base = service_url
        self._http = http

    async def open_transaction(self, access_token: str, document: bytes, *, name: str) -> tuple[str, str]:
        """Post a document; return the transaction and the address where the citizen signs."""
        files = {"document": (name, document, "application/pdf")}
        fields = {"document_name": name, "reason": REASON, "level": "B-T"}
        response = await self._send("POST", f"{self._base}{PATH}", access_token, files=files, data=fields)
        members = _members(response)
        return str(members["transaction"]), str(members["url"])

    async def status(self, access_token: str, transaction: str) -> dict[str, object]:
        """Return the transaction as the service tells it."""
        return _members(await self._send("GET", f"{self._base}{PATH}/{transaction}", access_token))

    async def document(self, access_token: str, transaction: str) -> bytes:
        """Return the signed document."""
        response = await self._send("GET", f"{self._base}{PATH}/{transaction}/document", access_token)
        if not response.is_success or response.headers.get("content-type", "").split(";")[0] != "application/pdf":
            _members(response)
            raise ProviderRefused("document_missing", "The service gave no document")
        return response.content

    async def _send(
        self,
        method: str,
        url: str,
        access_token: str,
        *,
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {access_token}"}
        try:
            return await self._http.request(method, url, headers=headers, files=files, data=data)
        except httpx.HTTPError as error:
            raise ProviderRefused("service_unavailable", "The service does not answer") from error


def _members(response: httpx.Response) -> dict[str, object]:
    try:
        members = response.json()
    except ValueError:
        members = {}
    if response.is_success and isinstance(members, dict):
        return members
    known = members if isinstance(members, dict) else {}
    code = known.get("code") or f"http_{response.status_code}"
    raise ProviderRefused(str(code), str(known.get("detail", "The service refused")))
