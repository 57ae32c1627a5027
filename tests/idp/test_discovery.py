"""The provider's two public documents."""

from authlib.oidc.discovery import OpenIDProviderMetadata

from idp.discovery import public_keys
from tests.support.idp import ISSUER, Provider


async def test_metadata_passes_authlibs_validators(provider: Provider) -> None:
    async with provider.back_channel() as http:
        response = await http.get("/.well-known/openid-configuration")
    document = response.json()
    metadata = OpenIDProviderMetadata(document)
    metadata.validate()
    assert document["issuer"] == ISSUER
    assert document["authorization_response_iss_parameter_supported"] is True


async def test_every_endpoint_promised_is_there(provider: Provider) -> None:
    async with provider.back_channel() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
        for name, url in document.items():
            if name.endswith("_endpoint") or name == "jwks_uri":
                statuses = {(await http.get(url)).status_code, (await http.post(url)).status_code}
                assert 404 not in statuses, name
                assert max(statuses) < 500


async def test_documents_are_tagged_and_cached(provider: Provider) -> None:
    async with provider.back_channel() as http:
        for path in ("/jwks", "/.well-known/openid-configuration"):
            first = await http.get(path)
            again = await http.get(path, headers={"If-None-Match": first.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            assert "max-age" in first.headers["cache-control"]


async def test_rotation_changes_the_published_keys(provider: Provider) -> None:
    async with provider.back_channel() as http:
        before = await http.get("/jwks")
        provider.keys.rotate()
        after = await http.get("/jwks")
    assert before.headers["etag"] != after.headers["etag"]
    assert len(after.json()["keys"]) == len(before.json()["keys"]) + 1


def test_no_private_member_can_be_published() -> None:
    from joserfc.jwk import ECKey, KeySet

    keys = KeySet([ECKey.generate_key("P-256", {"kid": "k", "use": "sig", "alg": "ES256"})])
    assert set(public_keys(keys)["keys"][0]) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
