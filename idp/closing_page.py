"""The last page of a login whose outcome does not travel through this browser: a device's, or a portal's backend's.

Owns:    the way to that page and what it shows. Leaves the decision to `closing_steps`.
Rules:   1 the page has an address of its own, so that it can be loaded again and read in another language
         2 what it shows is sealed by us: nobody else can make our page say that something was agreed
Spec:    RFC 8628 cl. 3.3; OpenID Connect CIBA Core 1.0 cl. 8
"""

from starlette.requests import Request
from starlette.responses import Response

from idp.browser import choose_locale
from idp.deps import IdpDeps
from idp.page_errors import LoginExpired
from idp.sealed_values import open_value, seal_value

_PURPOSE = "idp.closing_page"


def closing_location(deps: IdpDeps, *, agreed: bool, device: bool, client_id: str, reference: str) -> str:
    """Return where the browser goes at the end."""
    told = {"agreed": agreed, "device": device, "client": client_id, "reference": reference}
    return f"{deps.config.issuer}/done?of={seal_value(deps.cipher, told, purpose=_PURPOSE)}"


async def closing_page(request: Request, deps: IdpDeps) -> Response:
    """Show the page.

    Raises:
        LoginExpired: the address is not one of ours.
    """
    told = open_value(deps.cipher, request.query_params.get("of"), purpose=_PURPOSE)
    if not isinstance(told, dict):
        raise LoginExpired
    locale = choose_locale(request, ())
    party = await deps.store.load_client(str(told["client"]))
    context = {
        "agreed": bool(told["agreed"]),
        "device": bool(told["device"]),
        "portal": str(told["client"]) if party is None else party.named(locale),
        "reference": str(told["reference"]),
        "ui_locales": locale,
    }
    return deps.render(request, "idp_closed.html", context)
