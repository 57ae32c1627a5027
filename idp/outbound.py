"""Requests to addresses that relying parties registered: never into our own network.

Owns:    the rule which addresses may be called, and the call itself. Leaves what is sent to the callers.
Rules:   1 the name is resolved once, here; the call goes to that very address, so that a second answer of the DNS changes nothing
         2 loopback, private, link-local, reserved and multicast addresses are refused, unless the installation allows them (demo)
         3 TLS is verified against the registered name, whatever the address
Spec:    RFC 9700 cl. 4.16 (SSRF), OpenID Connect Back-Channel Logout 1.0 cl. 4
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

CALL_TIMEOUT_S = 5.0


class AddressRefused(Exception):
    """The address is one of our own network, or cannot be resolved."""


async def post_form(http: httpx.AsyncClient, uri: str, form: Mapping[str, str], *, private_allowed: bool) -> int:
    """Post a form; return the status. The answer's body is not read.

    Raises:
        AddressRefused: see rule 2.
        httpx.HTTPError: the call failed.
    """
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if parts.scheme != "https" and not private_allowed:
        raise AddressRefused("only https")
    address = await resolve(
        host, parts.port or (443 if parts.scheme == "https" else 80), private_allowed=private_allowed
    )
    literal = f"[{address}]" if ":" in address else address
    place = literal if parts.port is None else f"{literal}:{parts.port}"
    request = http.build_request(
        "POST",
        parts._replace(netloc=place).geturl(),
        data=dict(form),
        headers={"Host": parts.netloc},
        timeout=CALL_TIMEOUT_S,
        extensions={"sni_hostname": host},
    )
    response = await http.send(request, stream=True, follow_redirects=False)
    await response.aclose()
    return response.status_code


async def resolve(host: str, port: int, *, private_allowed: bool) -> str:
    """Return one address of a host that may be called.

    Raises:
        AddressRefused: none can be found, or one of them is of our own network: a mixed answer is an attack.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise AddressRefused("the name cannot be resolved") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or (not private_allowed and not all(ipaddress.ip_address(a).is_global for a in addresses)):
        raise AddressRefused("the address is not a public one")
    return addresses[0]
