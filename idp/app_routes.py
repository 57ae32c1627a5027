"""All doors of the provider, in one visible list.

Owns:    which routes exist. Leaves what they do to their modules.
"""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.deps import IdpDeps
from idp.discovery import StaticDocument, provider_metadata, public_keys
from idp.login_routes import LoginRoutes
from idp.logout_routes import LogoutRoutes
from idp.rate_limits import RateLimiter
from idp.token_routes import TokenRoutes


def build_routes(deps: IdpDeps) -> list[BaseRoute]:
    """Build the routes of the provider and of its connectors."""
    # Server-to-server callbacks of the connectors first: `/callback/{connector}` below would not match their longer paths,
    # but a connector may also own a POST on its own name.
    connectors = [route for connector in deps.connectors.values() for route in connector.routes()]
    return [
        *_documents(deps),
        *connectors,
        *LoginRoutes(deps, RateLimiter(deps.config.address_limit)).routes(),
        *LogoutRoutes(deps).routes(),
        *TokenRoutes(deps, RateLimiter(deps.config.client_limit)).routes(),
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
        Route("/jwks", jwks, methods=["GET"]),
    ]


__all__ = ["IdpDeps", "build_routes"]
