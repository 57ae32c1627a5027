"""Requests to addresses that relying parties registered: never into our own network.

Owns:    the rule which addresses may be called, and the call itself. Leaves what is sent to the callers.
Rules:   1 the name is resolved once, here; the call goes to that very address, so that a second answer of the DNS changes nothing
         2 only public unicast addresses are called, unless the installation allows others (demo); an IPv4 address hidden in an
           IPv6 one (mapped, 6to4, NAT64) is judged as what it is
         3 TLS is verified against the registered name, whatever the address
         4 a call has an end: resolving, connecting and the answer's head together; redirects are not followed, bodies not read
Spec:    RFC 9700 cl. 4.16 (SSRF), OpenID Connect Back-Channel Logout 1.0 cl. 4; RFC 4291 cl. 2.5.5.2; RFC 3056 cl. 2; RFC 6052 cl. 2.1
"""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

CALL_TIMEOUT_S = 5.0
"""For each phase; the whole call has four times as long."""
MAX_ADDRESSES = 3
"""How many of a name's addresses are tried, when one cannot be connected to."""
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(Exception):
    """The address is one of our own network, or cannot be resolved, or the call took too long."""


async def post_form(http: httpx.AsyncClient, uri: str, form: Mapping[str, str], *, private_allowed: bool) -> int:
    """Post a form; return the status. The answer's body is not read.

    Raises:
        AddressRefused: see rules 2 and 4.
        httpx.HTTPError: the call failed.
    """
    try:
        async with asyncio.timeout(4 * CALL_TIMEOUT_S):
            return await _post_form(http, uri, form, private_allowed=private_allowed)
    except (TimeoutError, ValueError, httpx.InvalidURL) as error:
        raise AddressRefused("the address cannot be called") from error


async def resolve(host: str, port: int, *, private_allowed: bool) -> list[str]:
    """Return the addresses of a host that may be called, in the resolver's order.

    Raises:
        AddressRefused: none can be found, or one of them is of our own network: a mixed answer is an attack.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # a label that no DNS name can hold is a UnicodeError
        raise AddressRefused("the name cannot be resolved") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses or not (private_allowed or all(is_public(address) for address in addresses)):
        raise AddressRefused("the address is not a public one")
    return addresses


def is_public(text: str) -> bool:
    """Tell whether an address is a public unicast one (rule 2)."""
    address = _unwrapped(ipaddress.ip_address(text.partition("%")[0]))
    site_local = isinstance(address, ipaddress.IPv6Address) and address.is_site_local
    return address.is_global and not (
        site_local or address.is_multicast or address.is_reserved or address.is_unspecified
    )


def _unwrapped(address: IpAddress) -> IpAddress:
    """Return the IPv4 address that an IPv6 one carries, or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(address.packed[12:])
    return address.ipv4_mapped or address.sixtofour or address


async def _post_form(http: httpx.AsyncClient, uri: str, form: Mapping[str, str], *, private_allowed: bool) -> int:
    parts = urlsplit(uri)
    if parts.scheme != "https" and not (private_allowed and parts.scheme == "http"):
        raise AddressRefused("only https")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = (await resolve(parts.hostname or "", port, private_allowed=private_allowed))[:MAX_ADDRESSES]
    for address in addresses[:-1]:
        try:
            return await _post_to(http, uri, address, form)
        except httpx.ConnectError:
            continue
    return await _post_to(http, uri, addresses[-1], form)


async def _post_to(http: httpx.AsyncClient, uri: str, address: str, form: Mapping[str, str]) -> int:
    """Rules 1 and 3: the address in the URL, the name in the Host header and in TLS."""
    parts = urlsplit(uri)
    literal = f"[{address}]" if ":" in address else address
    place = literal if parts.port is None else f"{literal}:{parts.port}"
    request = http.build_request(
        "POST",
        parts._replace(netloc=place).geturl(),
        data=dict(form),
        headers={"Host": parts.netloc},
        timeout=CALL_TIMEOUT_S,
        extensions={"sni_hostname": parts.hostname or ""},
    )
    request.headers.pop(
        "cookie", None
    )  # what one answer set must not travel to another relying party on the same address
    response = await http.send(request, stream=True, follow_redirects=False)
    await response.aclose()
    return response.status_code
