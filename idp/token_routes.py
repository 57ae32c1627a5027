"""The token door: authenticate, judge, redeem, mint.

Owns:    `/token`. Leaves authentication to `back_channel`, rules to `profiles` and `grants`, signing to `tokens`.
Rules:   1 what is presented is spent before anything is minted; three statements on the way that succeeds
         2 a refusal names the standard's code and nothing of the inside
         3 every answer is `no-store`
Spec:    RFC 6749 cl. 3.2, 5; OpenID Connect Core 1.0 cl. 3.1.3; RFC 9449 cl. 5, 8
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.back_channel import BackChannel
from idp.cross_origin import cross_origin
from idp.deps import IdpDeps
from idp.grants.issuing import mint_response
from idp.grants.redeeming import REDEEM
from idp.oauth_responses import answered, json_response
from idp.profiles import PROFILES
from idp.token_request import Issue, TokenRequest


class TokenRoutes:
    """The relying parties' door to tokens."""

    def __init__(self, deps: IdpDeps, back_channel: BackChannel) -> None:
        self._deps = deps
        self._back_channel = back_channel

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/token", cross_origin(answered(self.token, self._deps)), methods=["POST", "OPTIONS"])]

    async def token(self, request: Request) -> Response:
        """`POST /token`."""
        deps = self._deps
        # 1 who asks, and with which key (statement 1)
        caller = await self._back_channel.caller(request)
        profile = PROFILES[caller.party.profile]
        asked = TokenRequest(
            caller.party, caller.form, caller.uses, caller.jkt, caller.x5t, profile.rotates_refresh_tokens, caller.at
        )
        # 2 the profile's checks, in their order
        for check in profile.token:
            check(asked)
        # 3 what is presented is remembered and spent, in one transaction (statements 2 and 3), then judged
        issue = await REDEEM[caller.form.get("grant_type") or ""](asked, deps)
        # 4 only now are tokens made
        body = mint_response(issue, asked, deps)
        await self._record(issue, asked)
        return json_response(body)

    async def _record(self, issue: Issue, asked: TokenRequest) -> None:
        detail = {
            "client": asked.party.client_id,
            "subject": issue.subject or issue.grant.subject,
            "grant_type": asked.form.get("grant_type"),
            "bound": "dpop" if asked.jkt else "mtls" if asked.x5t and asked.party.mtls_bound else None,
        }
        await self._deps.audit.record("token.issued", correlation=issue.grant.correlation, detail=detail)
