"""Resource indicators: for which API an access token is.

Owns:    the list of our APIs, and which of them a token gets. Leaves the check of an arriving token's audience to the APIs.
Rules:   1 only our own APIs are resources; each is an absolute URI without fragment (RFC 8707 cl. 2)
         2 a token for one API is not taken at another; without a wish it is for the provider's own endpoints and every API of ours
         3 at `/token` a wish narrows what was granted, it never widens it (RFC 8707 cl. 2.2)
Spec:    RFC 8707; RFC 9068 cl. 3
"""

from collections.abc import Sequence

from idp.config import IdpConfig
from idp.errors import InvalidTarget

MAX_RESOURCES = 4


def resources_of(config: IdpConfig) -> tuple[str, ...]:
    """Return every resource; the first, the issuer itself, stands for all."""
    return (config.issuer, signing_api(config))


def signing_api(config: IdpConfig) -> str:
    """Return the resource identifier of the signing API."""
    return f"{config.issuer}/api/v1/signing"


def check_resources(wanted: Sequence[str], config: IdpConfig) -> None:
    """Check the wishes of a request.

    Raises:
        InvalidTarget: a resource that is none of ours, or absurdly many.
    """
    if len(wanted) > MAX_RESOURCES or not set(wanted) <= set(resources_of(config)):
        raise InvalidTarget("resource must name an API of this provider")


def audience_of(wanted: Sequence[str], granted: Sequence[str], config: IdpConfig) -> tuple[str, ...]:
    """Return the audience of a token.

    Raises:
        InvalidTarget: the token request wants an API that the grant does not cover.
    """
    check_resources(wanted, config)
    whole = tuple(granted) or (config.issuer,)
    if config.issuer in whole:
        return tuple(dict.fromkeys(wanted)) or whole
    if not set(wanted) <= set(whole):
        raise InvalidTarget("resource is more than was granted")
    return tuple(dict.fromkeys(wanted)) or whole


def serves(audience: Sequence[str], resource: str, config: IdpConfig) -> bool:
    """Tell whether a token of this audience is for a resource (rule 2)."""
    return resource in audience or config.issuer in audience
