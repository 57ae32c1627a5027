"""`gba-trust client …` on a real store."""

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from idp.cli import build_client_app
from idp.stores.choice import store_on
from tests.support.idp import Cipher, MemoryDatabase

runner = CliRunner()


@pytest.fixture
def run(tmp_path: Path):
    database, cipher = MemoryDatabase(tmp_path / "cli.sqlite"), Cipher()

    @asynccontextmanager
    async def open_store():
        yield store_on(database, cipher)

    app = build_client_app(open_store)
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [ECKey.generate_key("P-256", {"kid": "k"}).as_dict(private=False)]}))

    def call(*arguments: str, code: int = 0):
        result = runner.invoke(app, [str(argument).replace("JWKS", str(jwks)) for argument in arguments])
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        return result

    call.app = app
    call.load = lambda client_id: asyncio.run(store_on(database, cipher).load_client(client_id))
    yield call
    asyncio.run(database.close())


ADD = (
    "add", "--name", "Bank", "--redirect-uri", "https://bank.test/cb", "--auth", "private_key_jwt", "--jwks", "JWKS",
    "--region", "gd", "--scope", "openid profile permit signing", "--client-id", "bank", "--json",
)  # fmt: skip


def test_add_prints_the_registration_in_rfc_7591_words(run) -> None:
    document = json.loads(run(*ADD).stdout)
    assert document["client_id"] == "bank"
    assert document["redirect_uris"] == ["https://bank.test/cb"]
    assert document["token_endpoint_auth_method"] == "private_key_jwt"
    assert "client_secret" not in document
    assert run.load("bank").region == "gd"


def test_initial_tokens(run) -> None:
    made = json.loads(
        run("initial-token", "add", "--uses", "5", "--days", "30", "--note", "Clinic of Macao", "--json").stdout
    )
    assert len(made["initial_access_token"]) >= 32
    assert made["uses_left"] == 5
    listed = json.loads(run("initial-token", "list", "--json").stdout)
    assert listed == [{name: made[name] for name in ("id", "note", "uses_left", "expires_at")}]
    assert made["initial_access_token"] not in json.dumps(listed)
    assert json.loads(run("initial-token", "remove", made["id"], "--json").stdout) == {
        "id": made["id"],
        "removed": True,
    }
    gone = json.loads(run("initial-token", "remove", made["id"], "--json", code=1).stdout)
    assert gone["error"]["code"] == "initial_token_not_found"
    assert json.loads(run("initial-token", "list", "--json").stdout) == []


def test_initial_tokens_have_bounds(run) -> None:
    for words in (("--uses", "0"), ("--uses", "100000"), ("--days", "0"), ("--days", "4000")):
        run("initial-token", "add", *words, code=2)
    run("initial-token", "add", "--note", "two\nlines", code=1)


def test_show_list_update_remove(run) -> None:
    run(*ADD)
    assert json.loads(run("show", "bank", "--json").stdout)["client_name"] == "Bank"
    updated = json.loads(run("update", "bank", "--name", "Other Bank", "--purpose", "Loans", "--json").stdout)
    assert (updated["client_name"], updated["gba_purpose"]) == ("Other Bank", "Loans")
    assert updated["scope"] == "openid profile permit signing"
    assert len(json.loads(run("list", "--json").stdout)) == 1
    run("remove", "bank")
    assert json.loads(run("list", "--json").stdout) == []
    gone = run("show", "bank", "--json", code=1)
    assert json.loads(gone.stdout)["error"]["code"] == "client_not_found"


def test_secret_is_printed_once_and_rotates(run) -> None:
    arguments = ("add", "--name", "Small", "--redirect-uri", "https://small.test/cb", "--auth", "client_secret_basic")
    secret = json.loads(run(*arguments, "--region", "mo", "--client-id", "small", "--json").stdout)["client_secret"]
    assert run.load("small").accepts_secret(secret)
    assert "client_secret" not in json.loads(run("show", "small", "--json").stdout)
    rotated = json.loads(run("rotate-secret", "small", "--json").stdout)["client_secret"]
    assert run.load("small").accepts_secret(rotated)
    assert not run.load("small").accepts_secret(secret)
    assert "client_secret" not in json.loads(run("update", "small", "--name", "Smaller", "--json").stdout)
    assert run.load("small").accepts_secret(rotated)


def test_refusals_end_in_exit_1_with_their_code(run) -> None:
    run(*ADD)
    assert json.loads(run(*ADD, code=1).stdout)["error"]["code"] == "invalid_client_metadata"
    bad = ("add", "--name", "X", "--redirect-uri", "http://x.test/cb", "--auth", "none", "--region", "gd", "--json")
    assert json.loads(run(*bad, code=1).stdout)["error"]["code"] == "invalid_redirect_uri"
    assert (
        json.loads(run("rotate-secret", "bank", "--json", code=1).stdout)["error"]["code"] == "invalid_client_metadata"
    )
    assert "client_not_found" in run("remove", "nobody", code=1).stderr
    run("add", "--jwks", "/nowhere.json", code=2)


def test_a_whole_registration_comes_from_a_file(run, tmp_path: Path) -> None:
    document = json.loads(run(*ADD).stdout)
    file = tmp_path / "registration.json"
    file.write_text(json.dumps({**document, "gba_purpose": "Mortgage", "client_name#zh-Hans": "银行"}))
    run("add", "--registration", str(file), "--client-id", "second")
    assert run.load("second").purpose == "Mortgage"
    run("update", "bank", "--registration", str(file), "--name", "Newer")
    assert (run.load("bank").named("zh-Hans"), run.load("bank").client_name) == ("银行", "Newer")


def test_options_reach_their_members(run) -> None:
    document = json.loads(run(
        *ADD, "--require-par", "--dpop-bound", "--require-signed-request", "--profile", "fapi2", "--mtls-bound",
        "--backchannel-logout-uri", "https://bank.test/out", "--post-logout-redirect-uri", "https://bank.test/bye",
        "--grant", "authorization_code", "--grant", "refresh_token", "--delegate", "registry",
    ).stdout)  # fmt: skip
    party = run.load("bank")
    assert (party.require_par, party.dpop_bound, party.mtls_bound, party.require_signed_request) == (True,) * 4
    assert (party.profile, party.backchannel_logout_uri) == ("fapi2", "https://bank.test/out")
    assert (party.grant_types, party.delegates) == (("authorization_code", "refresh_token"), ("registry",))
    assert document["dpop_bound_access_tokens"] is True
    run("update", "bank", "--no-require-signed-request", "--json")
    assert (run.load("bank").require_signed_request, run.load("bank").dpop_bound) == (False, True)
    refused = json.loads(run("update", "bank", "--no-dpop-bound", "--no-mtls-bound", "--json", code=1).stdout)
    assert refused["error"]["code"] == "invalid_client_metadata"


def test_update_moves_what_follows_from_the_change(run, tmp_path: Path) -> None:
    run(*ADD)
    run("update", "bank", "--grant", "client_credentials")
    assert run.load("bank").grant_types == ("client_credentials",)
    run("update", "bank", "--auth", "tls_client_auth", "--tls-subject-dn", "CN=bank,O=Bank")
    assert run.load("bank").tls_subject.value == "CN=bank,O=Bank"
    run("update", "bank", "--tls-san-dns", "bank.test")
    assert run.load("bank").tls_subject.value == "bank.test"
    run("update", "bank", "--auth", "private_key_jwt")
    assert run.load("bank").tls_subject is None
    secret = json.loads(run("update", "bank", "--auth", "client_secret_post", "--json").stdout)["client_secret"]
    assert run.load("bank").accepts_secret(secret)
    run("update", "bank", "--purpose", "Loans")
    nothing = tmp_path / "nothing.json"
    nothing.write_text(json.dumps({"gba_purpose": None}))
    run("update", "bank", "--registration", str(nothing))
    assert run.load("bank").purpose == ""


def test_add_and_update_offer_the_same_options(run) -> None:
    from typer.main import get_command

    from idp.registration_options import OPTIONS

    commands = get_command(run.app).commands
    flags = {name: {p.opts[0] for p in commands[name].params if p.opts[0].startswith("--")} for name in commands}
    assert flags["add"] - flags["update"] == {"--client-id"}
    assert {option.flag for option in OPTIONS} <= flags["update"]
