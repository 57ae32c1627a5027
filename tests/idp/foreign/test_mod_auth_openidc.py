"""Debian's Apache with `mod_auth_openidc` is the portal: sign-in with PKCE, its own checks of our ID tokens, and logout in both ways."""

import json
import re
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc.jwk import RSAKey

from tests.idp.foreign.apache import Apache, needed, portal
from tests.idp.foreign.chromium import needs_chromium, sign_in_by_hand
from tests.support.client_certificates import ClientAuthority
from tests.support.idp import Client
from tests.support.served_provider import Person, ServedProvider
from trust_lists.clock import utc_now

pytestmark = needed


@pytest.fixture
def apache(served: ServedProvider) -> Iterator[Apache]:
    with portal(served) as made:
        yield made


def start(
    apache: Apache,
    *,
    auth: str = "client_secret_basic",
    directives: dict[str, str] | None = None,
    key: Any = None,
    **members: Any,
) -> Client:
    """Register the portal, and start it."""
    client = Client(
        client_id=f"apache-{secrets.token_hex(4)}",
        redirect_uri=apache.callback,
        auth=auth,
        secret=secrets.token_urlsafe(24) if auth.startswith("client_secret") else None,
        extra=members,
    )
    client.key = key or client.key
    secret = {} if client.secret is None else {"OIDCClientSecret": client.secret}
    apache.served.register(client)
    # a private key must stand before the method that needs it
    apache.start(client.client_id, {**(directives or {}), "OIDCProviderTokenEndpointAuth": auth, **secret})
    return client


def shown(page: httpx.Response, claim: str) -> str:
    """What the protected page says of a claim."""
    found = re.search(rf"<p>{claim}=(.*);</p>", page.text)
    assert found is not None, (page.status_code, page.url, page.text)
    return found[1]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "PS256"])
def test_login_with_pkce(served: ServedProvider, apache: Apache, algorithm: str) -> None:
    start(
        apache,
        directives={"OIDCIDTokenSignedResponseAlg": algorithm},
        id_token_signed_response_alg=algorithm,
    )
    with served.person() as person:
        asked = person.client.get(apache.page)
        assert asked.headers["location"].startswith(f"{served.issuer}/authorize?")
        assert "code_challenge_method=S256" in asked.headers["location"]
        page = person.walk(asked)
    assert str(page.url) == apache.page, apache.log()
    assert shown(page, "name") == "CHAN, Ka Yan"
    assert shown(page, "user").startswith(shown(page, "sub"))
    assert shown(page, "acr").startswith("urn:gba-trust:acr:")


def test_login_with_client_secret_post(served: ServedProvider, apache: Apache) -> None:
    start(apache, auth="client_secret_post")
    with served.person() as person:
        assert shown(person.open(apache.page), "name") == "CHAN, Ka Yan"


def test_refusal_of_the_person_reaches_the_portal(served: ServedProvider, apache: Apache) -> None:
    start(apache)
    with served.person(agrees=False) as person:
        answer = person.open(apache.page, until=apache.url).headers["location"]
        assert answer.startswith(f"{apache.callback}?error=access_denied&")
        # This version takes an error with `iss` (RFC 9207 cl. 2) for a third party's start of a sign-in, and says so.
        page = person.client.get(answer)
        assert "OIDCDefaultURL" in page.text
        assert not is_signed_in(apache, person)


def test_with_a_default_url_a_refusal_starts_anew(served: ServedProvider, apache: Apache) -> None:
    """The same misreading, worse: docs/interoperability.md tells administrators."""
    start(apache, directives={"OIDCDefaultURL": apache.bye})
    with served.person(agrees=False) as person:
        answer = person.open(apache.page, until=apache.url).headers["location"]
        again = person.client.get(answer)
        assert again.headers["location"].startswith(f"{served.issuer}/authorize?")
        assert not is_signed_in(apache, person)


def with_key(apache: Apache, key: RSAKey) -> dict[str, str]:
    """Give the module a private key, and a certificate for it (without one it crashes); return its directives."""
    private, public = apache.folder / "rp-1.pem", apache.folder / "rp-1.crt"
    certificate = ClientAuthority(utc_now()).issue("CN=portal", key=key.private_key)
    private.write_bytes(key.as_pem(private=True))
    public.write_bytes(certificate.public_bytes(Encoding.PEM))
    return {"OIDCPrivateKeyFiles": f"rp-1#{private}", "OIDCPublicKeyFiles": f"rp-1#{public}"}


def test_private_key_jwt_of_this_version_is_refused(served: ServedProvider, apache: Apache) -> None:
    """It can sign with RS256 only, and for the token endpoint instead of the issuer: neither is taken (docs/divergences.md)."""
    key = RSAKey.generate_key(2048, {"kid": "rp-1", "use": "sig"})
    client = start(apache, auth="private_key_jwt", key=key, directives=with_key(apache, key))
    with served.person() as person:
        page = person.open(apache.page)
        assert not is_signed_in(apache, person)
    assert page.status_code >= 400 or "Error" in page.text
    assert served.provider.trail.last("client.refused").detail == {"client": client.client_id}


@pytest.mark.parametrize("with_expiry", [True, False])
def test_signed_request_object(served: ServedProvider, apache: Apache, with_expiry: bool) -> None:
    """The module says no `exp` of its own; we ask for one, so the administrator must give it."""
    key = RSAKey.generate_key(2048, {"kid": "rp-1", "use": "sig"})
    wanted = {
        "request_object_type": "request",
        "crypto": {"sign_alg": "RS256"},
        "copy_from_request": ["client_id", "response_type", "redirect_uri"],
        "copy_and_remove_from_request": ["scope", "state", "nonce", "code_challenge", "code_challenge_method"],
        "static": {"exp": int(utc_now().timestamp()) + 600} if with_expiry else {},
    }
    start(
        apache,
        directives={**with_key(apache, key), "OIDCRequestObject": f"'{json.dumps(wanted)}'"},
        request_object_signing_alg="RS256",
        require_signed_request_object=True,
        jwks={"keys": [key.as_dict(private=False)]},
    )
    with served.person() as person:
        answer = person.open(apache.page, until=apache.url).headers["location"]
        person.walk(person.client.get(answer))
        assert is_signed_in(apache, person) == with_expiry
    assert ("error=invalid_request_object" in answer) == (not with_expiry)


def test_refresh(served: ServedProvider, apache: Apache) -> None:
    start(
        apache,
        directives={"OIDCScope": '"openid profile offline_access"'},
        grant_types=["authorization_code", "refresh_token"],
    )

    def session(person: Person) -> dict[str, Any]:
        return person.client.get(apache.callback, params={"info": "json"}).json()

    with served.person() as person:
        person.open(apache.page)
        first = session(person)
        asked = {"refresh": apache.page, "access_token": first["access_token"]}
        page = person.walk(person.client.get(apache.callback, params=asked))
        second = session(person)
    assert str(page.url) == apache.page, apache.log()
    assert first["access_token"] != second["access_token"]
    assert first["refresh_token"] != second["refresh_token"]
    assert first["userinfo"]["sub"] == second["userinfo"]["sub"]


def sign_out(apache: Apache, person: Person) -> httpx.Response:
    return person.open(str(httpx.URL(apache.callback, params={"logout": apache.bye})))


def is_signed_in(apache: Apache, person: Person) -> bool:
    return person.client.get(apache.page).status_code == 200


def test_logout_by_redirect(served: ServedProvider, apache: Apache) -> None:
    client = start(apache, post_logout_redirect_uris=[apache.bye])
    with served.person() as person:
        person.open(apache.page)
        assert is_signed_in(apache, person)
        page = sign_out(apache, person)
        assert (str(page.url), page.text) == (apache.bye, "bye")
        assert not is_signed_in(apache, person)
        silent = person.client.get(client.url(prompt="none", redirect_uri=client.redirect_uri))
        assert "error=login_required" in silent.headers["location"]


def test_back_channel_logout(served: ServedProvider, apache: Apache) -> None:
    start(
        apache,
        backchannel_logout_uri=f"{apache.callback}?logout=backchannel",
        backchannel_logout_session_required=True,
    )
    with served.person() as person, served.person() as other:
        person.open(apache.page)
        other.open(apache.page)
        assert is_signed_in(apache, person)
        page = person.client.get(f"{served.issuer}/logout")  # at the provider, not at the portal
        person.submit(page, "/logout", {})
        deadline = time.monotonic() + 20
        while is_signed_in(apache, person) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_signed_in(apache, person), apache.log()
        assert is_signed_in(apache, other)  # only the session that ended
    assert served.provider.trail.last("logout.notified").detail["status"] == 200


@needs_chromium
def test_front_channel_logout_in_chromium(served: ServedProvider, apache: Apache, page: Any) -> None:
    """The provider's page frames the portal's logout; the browser's own policies let it through."""
    start(
        apache,
        frontchannel_logout_uri=f"{apache.callback}?logout=get",
        frontchannel_logout_session_required=True,
    )
    page.goto(apache.page)
    sign_in_by_hand(page)
    page.wait_for_url(apache.page)
    assert "name=CHAN, Ka Yan;" in page.inner_text("body")
    page.goto(f"{served.issuer}/logout")
    with page.expect_response(lambda answer: answer.url.startswith(f"{apache.callback}?logout=get&")) as framed:
        page.click("form button.button")
    assert "sid=" in framed.value.url
    page.goto(apache.page)
    assert page.url.startswith(f"{served.issuer}/"), apache.log()
    assert [line for line in page.complaints if "Content Security Policy" in line] == []
