"""All doors of the provider, in one visible list.

Owns:    which routes exist, the busiest first: Starlette looks them up in order. Leaves what they do to their modules.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.account_routes import AccountRoutes
from idp.back_channel import BackChannel
from idp.decoupled_routes import DecoupledRoutes
from idp.deps import IdpDeps
from idp.discovery import StaticDocument, provider_metadata, public_keys
from idp.introspection_routes import IntrospectionRoutes
from idp.login_routes import LoginRoutes
from idp.logout_routes import LogoutRoutes
from idp.pushed_routes import PushedRoutes
from idp.rate_limits import RateLimiter
from idp.registration_routes import RegistrationRoutes
from idp.token_routes import TokenRoutes
from idp.userinfo_routes import UserinfoRoutes


def build_routes(deps: IdpDeps) -> list[BaseRoute]:
    """Build the routes of the provider and of its connectors."""
    # Server-to-server callbacks of the connectors first: `/callback/{connector}` below would not match their longer paths,
    # but a connector may also own a POST on its own name.
    connectors = [route for connector in deps.connectors.values() for route in connector.routes()]
    back_channel = BackChannel(deps, RateLimiter(deps.config.client_limit))
    address_limiter = RateLimiter(deps.config.address_limit)
    return [
        *TokenRoutes(deps, back_channel).routes(),
        *UserinfoRoutes(deps).routes(),
        *connectors,
        *LoginRoutes(deps, address_limiter).routes(),
        *_documents(deps),
        *PushedRoutes(deps, back_channel).routes(),
        *IntrospectionRoutes(deps, back_channel).routes(),
        *LogoutRoutes(deps).routes(),
        *DecoupledRoutes(deps, back_channel, RateLimiter(deps.config.user_code_limit)).routes(),
        *AccountRoutes(deps).routes(),
        *RegistrationRoutes(deps, address_limiter).routes(),
    ]


def _documents(deps: IdpDeps) -> list[Route]:
    metadata, keys = StaticDocument("application/json"), StaticDocument("application/jwk-set+json")

    async def discovery(request: Request) -> Response:
        return metadata.respond(request, deps.config, lambda: provider_metadata(deps.config))

    async def jwks(request: Request) -> Response:
        published = deps.token_keys.published()
        return keys.respond(request, published, lambda: public_keys(published))

    return [
        Route("/.well-known/openid-configuration", discovery, methods=["GET"]),
        Route("/.well-known/oauth-authorization-server", discovery, methods=["GET"]),  # RFC 8414 cl. 3
        Route("/jwks", jwks, methods=["GET"]),
    ]


__all__ = ["IdpDeps", "build_routes"]
