"""JAR `request_uri` as a way to make the provider call somebody: nothing is ever fetched, whatever the address."""

import pytest

from tests.support.idp import Client, Provider, answer

TARGETS = (
    "https://portal.test/request.jwt",
    "http://127.0.0.1:8001/metrics",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "urn:ietf:params:oauth:request_uri",
    "URN:ietf:params:oauth:request_uri:x",
)


@pytest.mark.parametrize("target", TARGETS)
async def test_request_uri_is_refused_unread(provider: Provider, client: Client, target: str) -> None:
    response = await provider.browser().get(client.url(request_uri=target))
    assert answer(response)["error"] == "request_uri_not_supported"
    assert provider.outbound.received == []


@pytest.mark.parametrize("target", TARGETS)
async def test_request_uri_in_the_registration_is_refused(provider: Provider, target: str) -> None:
    from idp.errors import InvalidClientMetadata

    with pytest.raises(InvalidClientMetadata):
        await provider.register(Client("another", extra={"request_uris": [target]}))
    assert provider.outbound.received == []


async def test_jwks_uri_in_the_registration_is_refused(provider: Provider) -> None:
    from idp.errors import InvalidClientMetadata

    with pytest.raises(InvalidClientMetadata):
        await provider.register(Client("another", extra={"jwks_uri": "http://169.254.169.254/jwks"}))
    assert provider.outbound.received == []
