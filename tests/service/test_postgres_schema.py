"""PostgreSQL's schema: upgraded forward in one transaction, checked, refused when newer; the same tables as SQLite's."""

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from migrations import HEAD
from service.database import upgrade_schema
from service.errors import DataFolderRefused, ServiceUnavailable
from service.postgres_schema import check_postgres_schema, upgrade_postgres_schema
from service.postgres_settings import PostgresSettings
from tests.support.databases import postgres, postgres_url  # noqa: F401 - fixtures
from tests.support.postgres import Cluster

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(postgres_url: str) -> PostgresSettings:  # noqa: F811 - pytest's way
    return PostgresSettings(postgres_url, None, 10)


def run_sql(postgres: Cluster, settings: PostgresSettings, statement: str) -> str:  # noqa: F811 - pytest's way
    return postgres.run_sql(statement, settings.url.partition("?")[0].rpartition("/")[2])


def test_an_upgrade_makes_the_schema_once(settings: PostgresSettings) -> None:
    with pytest.raises(DataFolderRefused, match="db upgrade"):
        check_postgres_schema(settings)
    upgrade_postgres_schema(settings)
    check_postgres_schema(settings)
    upgrade_postgres_schema(settings)


def test_both_databases_have_the_same_tables_columns_and_indexes(
    postgres: Cluster,  # noqa: F811 - pytest's way
    settings: PostgresSettings,
    tmp_path: Path,
) -> None:
    upgrade_postgres_schema(settings)
    upgrade_schema(tmp_path / "x.db")
    columns = "SELECT table_name || '.' || column_name || ':' || is_nullable FROM information_schema.columns WHERE table_schema = 'public'"
    indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%_key' AND indexname NOT LIKE '%_pkey'"
    in_postgres = {*run_sql(postgres, settings, columns).split(), *run_sql(postgres, settings, indexes).split()}
    sqlite = sqlite3.connect(tmp_path / "x.db")
    in_sqlite = {
        f"{table}.{name}:{'NO' if required or key else 'YES'}"
        for (table,) in sqlite.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for _, name, _, required, _, key in sqlite.execute(f"PRAGMA table_info({table})").fetchall()
    } | {
        name
        for (name,) in sqlite.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
    }
    sqlite.close()
    assert in_postgres - {"alembic_version_pkc"} == in_sqlite


def test_times_have_room_beyond_2038(postgres: Cluster, settings: PostgresSettings) -> None:  # noqa: F811 - pytest's way
    upgrade_postgres_schema(settings)
    narrow = run_sql(
        postgres,
        settings,
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'"
        r" AND data_type = 'integer' AND column_name ~ '_(s|ms|us)$' AND column_name <> 'interval_s'",
    )
    assert narrow == ""


def test_a_newer_database_is_refused(postgres: Cluster, settings: PostgresSettings) -> None:  # noqa: F811 - pytest's way
    upgrade_postgres_schema(settings)
    run_sql(postgres, settings, "UPDATE alembic_version SET version_num = '9999'")
    for use in (check_postgres_schema, upgrade_postgres_schema):
        with pytest.raises(DataFolderRefused, match="newer"):
            use(settings)


def test_an_older_database_names_the_command_and_keeps_its_rows(
    postgres: Cluster,  # noqa: F811 - pytest's way
    settings: PostgresSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from alembic import command

    upgrade = command.upgrade
    with monkeypatch.context() as older:
        older.setattr(command, "upgrade", lambda config, _: upgrade(config, "0002"))
        upgrade_postgres_schema(settings)
    run_sql(postgres, settings, "INSERT INTO idp_clients VALUES ('bank', '{}', NULL, 1, 1)")
    with pytest.raises(DataFolderRefused, match="older"):
        check_postgres_schema(settings)
    upgrade_postgres_schema(settings)
    check_postgres_schema(settings)
    assert run_sql(postgres, settings, "SELECT client_id FROM idp_clients").strip() == "bank"


def test_an_upgrade_that_fails_leaves_nothing_behind(postgres: Cluster, settings: PostgresSettings) -> None:  # noqa: F811
    run_sql(postgres, settings, "CREATE TABLE signing_documents (mine TEXT)")
    with pytest.raises(ServiceUnavailable, match="could not be upgraded"):
        upgrade_postgres_schema(settings)
    tables = run_sql(
        postgres, settings, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    assert tables.split() == ["signing_documents"]
    run_sql(postgres, settings, "DROP TABLE signing_documents")
    upgrade_postgres_schema(settings)
    check_postgres_schema(settings)


def test_two_upgrades_at_once_are_one(settings: PostgresSettings) -> None:
    program = (
        "import sys; from service.postgres_schema import upgrade_postgres_schema; from service.postgres_settings import PostgresSettings\n"
        "upgrade_postgres_schema(PostgresSettings(sys.argv[1], None, 1))"
    )
    done: list[int] = []

    def run() -> None:
        done.append(subprocess.run([sys.executable, "-c", program, settings.url], cwd=ROOT, check=False).returncode)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [0, 0]
    check_postgres_schema(settings)


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    nowhere = PostgresSettings(f"postgresql://app@/none?host={tmp_path}", None, 1)
    for use in (check_postgres_schema, upgrade_postgres_schema):
        with pytest.raises(ServiceUnavailable):
            use(nowhere)


def test_the_commands_over_a_folder_and_a_postgresql_database(
    postgres_url: str,  # noqa: F811 - pytest's way
    tmp_path: Path,
) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "GBA_TRUST_MODE": "demo",
        "GBA_TRUST_DATA": str(tmp_path / "service"),
        "GBA_TRUST_DATABASE_URL": postgres_url,
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "service.cli", *arguments],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert run("db", "check").returncode == 1
    upgraded = run("db", "upgrade")
    assert (upgraded.returncode, upgraded.stdout) == (0, f"schema {HEAD}\n"), upgraded.stderr
    assert run("db", "check").stdout == f"schema {HEAD}: up to date\n"
    assert "PostgreSQL for the provider" in run("doctor", "--json").stdout
    added = run(
        "client",
        "add",
        "--name",
        "Bank",
        "--redirect-uri",
        "https://bank.example.cn/callback",
        "--auth",
        "client_secret_basic",
        "--region",
        "gd",
    )
    assert added.returncode == 0, added.stderr
    assert "Bank" in run("client", "list", "--json").stdout
    env["GBA_TRUST_DATABASE_URL"] = f"postgresql://app@/none?host={tmp_path}"
    gone = run("db", "check")
    assert (gone.returncode, gone.stderr.count("\n")) == (3, 1)
    assert gone.stderr.startswith("error: service_unavailable: ")
