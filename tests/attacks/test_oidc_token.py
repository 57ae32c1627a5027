"""Attacks on the token endpoint: codes, PKCE, client authentication, and the two of them at the same instant."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.protocol import CLIENT_ASSERTION_TYPE
from tests.support.idp import AT, ISSUER, Client, Provider, provider_in


@pytest.fixture
async def provider(tmp_path):
    async with provider_in(tmp_path) as made:
        yield made


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(Client())


async def fresh_code(client: Client, **changes: str) -> str:
    return (await client.login(client.provider.browser(), **changes))["code"]


def refused(response, code: str, status: int = 400) -> None:
    assert response.status_code == status, response.text
    assert response.json()["error"] == code
    assert response.headers["cache-control"] == "no-store"
    assert set(response.json()) == {"error", "error_description"}


async def test_code_replay_is_refused_and_revokes_what_the_code_gave(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    tokens = (await client.redeem(code)).json()
    refused(await client.redeem(code), "invalid_grant")
    assert provider.trail.last("token.refused").outcome == "code_reused"
    async with provider.back_channel() as http:
        info = await http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert info.status_code == 401
    assert 'error="invalid_token"' in info.headers["www-authenticate"]


async def test_code_replay_after_its_expiry_still_revokes(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    tokens = (await client.redeem(code)).json()
    provider.later(seconds=90)
    refused(await client.redeem(code), "invalid_grant")
    async with provider.back_channel() as http:
        info = await http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert info.status_code == 401


async def test_concurrent_double_redemption_has_one_winner(provider: Provider, client: Client) -> None:
    for _ in range(5):
        code = await fresh_code(client)
        responses = await asyncio.gather(*(client.redeem(code) for _ in range(4)))
        assert sorted(response.status_code for response in responses) == [200, 400, 400, 400]


async def test_code_expires_on_the_boundary(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    provider.later(seconds=59.999999)
    assert (await client.redeem(code)).status_code == 200
    code = await fresh_code(client)
    provider.later(seconds=60)
    refused(await client.redeem(code), "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code_verifier": secrets.token_urlsafe(48)}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_grant"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"code_verifier": "x" * 129}, "invalid_request"),
        ({"redirect_uri": "https://portal.test/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "unauthorized_client"),
    ],
)
async def test_conditions_of_a_redemption(provider: Provider, client: Client, changes: dict, code: str) -> None:
    refused(await client.redeem(await fresh_code(client), **changes), code)


async def test_unknown_and_missing_code(provider: Provider, client: Client) -> None:
    refused(await client.redeem("unknown"), "invalid_grant")
    refused(await client.redeem(""), "invalid_request")


# --- client assertions -------------------------------------------------------------------------------------------------


async def assertion_refused(client: Client, assertion: str) -> None:
    code = await fresh_code(client)
    refused(await client.redeem(code, client_assertion=assertion), "invalid_client", 401)
    assert client.provider.trail.last("client.refused")
    assert (await client.redeem(code)).status_code == 200, "a refused client must not cost the code"


NOW = int(AT.timestamp())
CLAIMS = {
    "audience is the token endpoint": {"aud": f"{ISSUER}/token"},
    "audience is an array": {"aud": [ISSUER]},
    "audience elsewhere": {"aud": "https://elsewhere.test"},
    "no audience": {"aud": None},
    "issuer is another": {"iss": "other"},
    "no subject": {"sub": None},
    "expired": {"exp": NOW - 1},
    "expires now": {"exp": NOW},
    "no expiry": {"exp": None},
    "expiry too far": {"exp": NOW + 3700},
    "expiry in words": {"exp": "tomorrow"},
    "expiry true": {"exp": True},
    "from the future": {"iat": NOW + 60},
    "not yet valid": {"nbf": NOW + 60},
    "no identifier": {"jti": None},
    "empty identifier": {"jti": ""},
    "endless identifier": {"jti": "x" * 129},
    "identifier a number": {"jti": 5},
}


@pytest.mark.parametrize("name", CLAIMS)
async def test_assertion_claims_are_held(provider: Provider, client: Client, name: str) -> None:
    await assertion_refused(client, client.assertion(**CLAIMS[name]))


async def test_assertion_clock_skew_of_8_seconds_is_taken(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    assertion = client.assertion(iat=NOW + 8, nbf=NOW + 8, exp=NOW + 68)
    assert (await client.redeem(code, client_assertion=assertion)).status_code == 200


async def test_assertion_replay_is_refused_and_does_not_touch_the_code(provider: Provider, client: Client) -> None:
    assertion = client.assertion()
    first, second = await fresh_code(client), await fresh_code(client)
    assert (await client.redeem(first, client_assertion=assertion)).status_code == 200
    refused(await client.redeem(second, client_assertion=assertion), "invalid_client", 401)
    assert provider.trail.last("token.refused").outcome == "assertion_replayed"
    assert (await client.redeem(second)).status_code == 200


async def test_assertion_replay_at_the_same_instant_has_one_winner(provider: Provider, client: Client) -> None:
    codes = [await fresh_code(client) for _ in range(4)]
    assertion = client.assertion()
    responses = await asyncio.gather(*(client.redeem(code, client_assertion=assertion) for code in codes))
    assert sorted(response.status_code for response in responses) == [200, 401, 401, 401]


def forged(header: dict, claims: dict, signature: bytes = b"") -> str:
    def encode(part: bytes) -> str:
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

    return ".".join((encode(json.dumps(header).encode()), encode(json.dumps(claims).encode()), encode(signature)))


def good_claims(client: Client) -> dict:
    return {"iss": client.client_id, "sub": client.client_id, "aud": ISSUER, "jti": "j1", "exp": NOW + 60}


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, "ES256K", "RS256", "HS256", 5, ["ES256"]])
async def test_algorithm_none_and_strangers_are_refused(provider: Provider, client: Client, algorithm: object) -> None:
    await assertion_refused(client, forged({"alg": algorithm, "kid": "rp-1"}, good_claims(client), b"x" * 64))


async def test_hs256_under_the_public_key_is_refused(provider: Provider, client: Client) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = client.key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for secret in (public, json.dumps(client.key.as_dict(private=False)).encode()):
        unsigned = forged({"alg": "HS256", "kid": "rp-1"}, good_claims(client))[:-1]
        mac = hmac.new(secret, unsigned.encode(), hashlib.sha256).digest()
        await assertion_refused(client, f"{unsigned}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")


async def test_key_of_somebody_else_is_refused(provider: Provider, client: Client) -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "rp-1"})
    await assertion_refused(client, client.assertion(key=stranger))


@pytest.mark.parametrize("member", ["jku", "jwk", "x5u", "x5c", "crit"])
async def test_header_that_points_to_a_key_is_refused(provider: Provider, client: Client, member: str) -> None:
    stranger = ECKey.generate_key("P-256", {"kid": "rp-1"})
    value = {
        "jku": "https://evil.test/jwks",
        "jwk": stranger.as_dict(private=False),
        "x5u": "https://evil.test/cert",
        "x5c": ["MIIB"],
        "crit": ["exp"],
    }[member]
    good = client.assertion()
    header = {"alg": "ES256", "kid": "rp-1", member: value}
    signature = base64.urlsafe_b64decode(good.split(".")[2] + "==")
    await assertion_refused(client, forged(header, good_claims(client), signature))


@pytest.mark.parametrize("kid", ["../../etc/passwd", "rp-2", "' OR 1=1--", "", 7, {"a": 1}, "\x00"])
async def test_kid_injection_finds_no_key(provider: Provider, client: Client, kid: object) -> None:
    good = client.assertion()
    signature = base64.urlsafe_b64decode(good.split(".")[2] + "==")
    await assertion_refused(client, forged({"alg": "ES256", "kid": kid}, good_claims(client), signature))


async def test_altered_signature_is_refused(provider: Provider, client: Client) -> None:
    head, body, signature = client.assertion().split(".")
    flipped = ("A" if signature[10] != "A" else "B").join((signature[:10], signature[11:]))
    for assertion in (
        f"{head}.{body}.{flipped}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature}.x",
        "é",
    ):
        await assertion_refused(client, assertion)


async def test_wrong_assertion_type_is_refused(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    refused(await client.redeem(code, client_assertion_type="urn:x"), "invalid_client", 401)
    refused(await client.redeem(code, client_assertion_type=None), "invalid_client", 401)


async def test_client_id_beside_the_assertion_must_agree(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    refused(await client.redeem(code, client_id="other"), "invalid_client", 401)
    assert (await client.redeem(code, client_id=client.client_id)).status_code == 200


async def test_another_method_than_registered_is_refused(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    form = client.token_form(code, client_assertion=None, client_assertion_type=None)
    async with provider.back_channel() as http:
        refused(await http.post("/token", data={**form, "client_id": client.client_id}), "invalid_client", 401)
        basic = await http.post("/token", data=form, auth=(client.client_id, "guess"))
        refused(basic, "invalid_client", 401)
        assert basic.headers["www-authenticate"].startswith("Basic ")
        refused(await http.post("/token", data=form), "invalid_client", 401)
        both = {**form, "client_assertion_type": CLIENT_ASSERTION_TYPE, "client_assertion": client.assertion()}
        refused(await http.post("/token", data=both, auth=(client.client_id, "x")), "invalid_request")


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("PS256", lambda: RSAKey.generate_key(2048, {"kid": "rp-1", "use": "sig"})),
        ("Ed25519", lambda: OKPKey.generate_key("Ed25519", {"kid": "rp-1", "use": "sig"})),
        ("ES256", lambda: ECKey.generate_key("P-256", {"kid": "rp-1", "use": "sig"})),
    ],
)
async def test_offered_algorithms_are_taken(provider: Provider, algorithm: str, key) -> None:
    client = await provider.register(Client(key=key(), algorithm=algorithm))
    assert (await client.redeem(await fresh_code(client))).status_code == 200


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
async def test_eddsa_by_its_old_name_is_taken(provider: Provider) -> None:
    key = OKPKey.generate_key("Ed25519", {"kid": "rp-1", "use": "sig"})
    client = await provider.register(Client(key=key, algorithm="EdDSA"))
    assert (await client.redeem(await fresh_code(client))).status_code == 200


async def test_rs256_is_refused_under_a_registered_rsa_key(provider: Provider) -> None:
    key = RSAKey.generate_key(2048, {"kid": "rp-1", "use": "sig"})
    client = await provider.register(Client(key=key, algorithm="PS256"))
    await assertion_refused(client, client.assertion(header={"alg": "RS256"}))


async def test_secret_client_and_its_wrong_secrets(provider: Provider) -> None:
    small = await provider.register(Client("small-body", auth="client_secret_basic", secret="s3cret:with/odd+signs%"))
    code = await fresh_code(small)
    form = small.token_form(code)
    async with provider.back_channel() as http:
        for secret in ("", "s3cret", "S3CRET:with/odd+signs%", "é"):
            refused(await http.post("/token", data=form, auth=("small-body", secret)), "invalid_client", 401)
        from urllib.parse import quote

        good = await http.post("/token", data=form, auth=("small-body", quote(small.secret, safe="")))
        assert good.status_code == 200
        for header in ("Basic", "Basic !!!", "Basic bm8tY29sb24=", "Basic /w==", "Digest x"):
            refused(await http.post("/token", data=form, headers={"Authorization": header}), "invalid_client", 401)


async def test_token_takes_three_statements(provider: Provider, client: Client) -> None:
    code = await fresh_code(client)
    form = client.token_form(code)
    provider.database.statements.clear()
    async with provider.back_channel() as http:
        assert (await http.post("/token", data=form)).status_code == 200
    counted = [s for s in provider.database.statements if s.split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}]
    assert len(counted) == 3, counted
