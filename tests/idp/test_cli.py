"""`gba-trust client …` on a real store."""

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from idp.cli import build_client_app
from idp.sqlite_store import SqliteStore
from tests.support.idp import Cipher, MemoryDatabase

runner = CliRunner()


@pytest.fixture
def run(tmp_path: Path):
    database, cipher = MemoryDatabase(tmp_path / "cli.sqlite"), Cipher()

    @asynccontextmanager
    async def open_store():
        yield SqliteStore(database, cipher)

    app = build_client_app(open_store)
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [ECKey.generate_key("P-256", {"kid": "k"}).as_dict(private=False)]}))

    def call(*arguments: str, code: int = 0):
        result = runner.invoke(app, [str(argument).replace("JWKS", str(jwks)) for argument in arguments])
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        return result

    call.load = lambda client_id: asyncio.run(SqliteStore(database, cipher).load_client(client_id))
    yield call
    database.close()


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
