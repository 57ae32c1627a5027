"""Notices to people by the operator's own gateway: an app push, a text message, whatever the operator has.

Owns:    the call to that gateway (CIBA). Leaves who can be reached where to the gateway, which knows our person identifiers.
Rules:   1 best effort: whoever cannot be told finds the request on their account page; nothing fails because a notice failed
         2 bounded: one try, a few seconds in all, few calls at a time, no answer read
         3 the gateway proves us by a bearer secret of a file, over https (http on loopback in demo mode)
         4 neither person, portal, message nor link is ever logged: what is recorded is that a notice went or did not
Spec:    OpenID Connect CIBA Core 1.0 cl. 5 (how the person is reached is left to the provider); RFC 6750 cl. 2.1
"""

import asyncio
import secrets

import httpx

from idp.ports import AuditTrail

CALL_TIMEOUT_S = 5.0
MAX_CALLS = 8
"""At a time; further notices wait their turn, at most as long as a call may take."""


class HttpNotifier:
    """Posts each notice as JSON: `person`, `portal`, `message`, `url`."""

    def __init__(self, url: str, secret: str, http: httpx.AsyncClient, audit: AuditTrail) -> None:
        self._url = url
        self._secret = secret
        self._http = http
        self._audit = audit
        self._turns = asyncio.Semaphore(MAX_CALLS)

    async def notify(self, *, person: str, portal: str, message: str, url: str) -> None:
        """Send a notice; whatever goes wrong is recorded and goes no further."""
        notice = {"person": person, "portal": portal, "message": message, "url": url}
        try:
            async with asyncio.timeout(2 * CALL_TIMEOUT_S), self._turns:
                status = await self._post(notice)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError):
            status = 0
        told = 200 <= status < 300
        await self._audit.record(
            "notice.sent" if told else "notice.not_sent",
            correlation=secrets.token_urlsafe(9),
            outcome="ok" if told else "unreachable",
            detail={"status": status},
        )

    async def _post(self, notice: dict[str, str]) -> int:
        request = self._http.build_request(
            "POST",
            self._url,
            json=notice,
            headers={"Authorization": f"Bearer {self._secret}"},
            timeout=CALL_TIMEOUT_S,
        )
        response = await self._http.send(request, stream=True, follow_redirects=False)
        await response.aclose()
        return response.status_code
