"""A PostgreSQL URL says where, never the password; production proves the server; TLS and passwords against a real one."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sandbox.setup import free_ports
from service.errors import ServiceUnavailable, SettingsRefused
from service.postgres import PostgresDatabase
from service.postgres_settings import PostgresSettings
from service.settings import load_settings
from tests.support.postgres import Cluster, find_binaries

URL = "postgresql://app@db.example.org/trust"
PRODUCTION = {
    "GBA_TRUST_ISSUER": "https://id.example.org",
    "GBA_TRUST_KEY_ENCRYPTION_KEY_FILE": "/run/secrets/kek",
}
DEMO = {"GBA_TRUST_MODE": "demo"}


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("postgresql://app:secret@db.example.org/trust", "holds a password"),
        ("postgresql://app@db.example.org/trust?password=secret", "holds a password"),
        ("postgresql://app@db.example.org", "name one host and a database"),
        ("postgresql://app@db.example.org/", "name one host and a database"),
        ("postgresql:///trust", "name one host and a database"),
        ("postgresql://app@one.example.org,two.example.org/trust", "not a PostgreSQL URL|name one host"),
        ("postgresql://app@db.example.org:port/trust", "not a PostgreSQL URL"),
        ("postgresql://app@[::1/trust", "not a PostgreSQL URL"),
        ("postgresql://app@db.example.org/trust?sslmode", "not a PostgreSQL URL"),
        ("mysql://app@db.example.org/trust", "must be sqlite"),
    ],
)
def test_a_url_that_is_unsafe_or_unclear_stops_the_start(url: str, what: str) -> None:
    with pytest.raises(SettingsRefused, match=what) as refused:
        load_settings(None, {**DEMO, "GBA_TRUST_DATABASE_URL": url})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("sslmode", ["", "?sslmode=disable", "?sslmode=prefer", "?sslmode=require"])
def test_production_refuses_a_server_that_is_not_proven(sslmode: str) -> None:
    with pytest.raises(SettingsRefused, match="verify-full"):
        load_settings(None, {**PRODUCTION, "GBA_TRUST_DATABASE_URL": URL + sslmode})


@pytest.mark.parametrize(
    "url",
    [
        URL + "?sslmode=verify-full&sslrootcert=/etc/ca.pem",
        "postgresql://app@/trust?host=/run/postgresql",
        "postgresql://app@127.0.0.1:5432/trust",
    ],
)
def test_production_takes_a_proven_or_a_local_server(url: str, tmp_path: Path) -> None:
    settings = load_settings(None, {**PRODUCTION, "GBA_TRUST_DATABASE_URL": url, "GBA_TRUST_DATA": str(tmp_path)})
    assert settings.postgres == PostgresSettings(url, None, 10)
    assert settings.database_path == tmp_path / "service.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [("DATABASE_POOL_SIZE", "0"), ("DATABASE_POOL_SIZE", "many"), ("DATABASE_POOL_SIZE", "1000")],
)
def test_a_pool_size_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingsRefused, match="1 to 200"):
        load_settings(None, {**DEMO, "GBA_TRUST_DATABASE_URL": URL, f"GBA_TRUST_{name}": value})


def test_settings_of_postgresql_without_it_are_refused() -> None:
    for name in ("DATABASE_PASSWORD_FILE", "DATABASE_POOL_SIZE"):
        with pytest.raises(SettingsRefused, match="alone"):
            load_settings(None, {**DEMO, f"GBA_TRUST_{name}": "5"})


def test_a_password_file_must_be_there_private_and_text(tmp_path: Path) -> None:
    path = tmp_path / "password"
    settings = PostgresSettings(URL, path, 1)
    with pytest.raises(ServiceUnavailable, match="cannot be read"):
        settings.read_password()
    path.write_bytes(b"pass word\r\n")
    path.chmod(0o640)
    with pytest.raises(ServiceUnavailable, match="chmod 600"):
        settings.read_password()
    path.chmod(0o600)
    assert settings.read_password() == "pass word"
    path.write_bytes(b"\xff")
    with pytest.raises(ServiceUnavailable, match="cannot be read"):
        settings.read_password()
    assert PostgresSettings(URL, None, 1).read_password() is None


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path]]:
    """A server on TCP that asks for TLS and a password: its URL without sslmode, its CA, another CA."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL not installed")
    folder = tmp_path_factory.mktemp("tls")
    ca, key, certificate = make_ca_and_certificate("ca")
    other_ca, _, _ = make_ca_and_certificate("other")
    (folder / "ca.pem").write_bytes(ca)
    (folder / "other.pem").write_bytes(other_ca)
    port, _ = free_ports()
    cluster = Cluster(binaries, listen_port=port, tls=(key, certificate), authentication="scram-sha-256")
    cluster.start()
    cluster.run_sql("ALTER USER app PASSWORD 'first'")
    yield f"postgresql://app@localhost:{port}/postgres", folder / "ca.pem", folder / "other.pem"
    cluster.stop()


def make_ca_and_certificate(name: str) -> tuple[bytes, bytes, bytes]:
    at = datetime.now(UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(at - timedelta(hours=1))
            .not_valid_after(at + timedelta(days=1))
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    server = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    leaf = (
        builder(server, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return ca.public_bytes(pem), private, leaf.public_bytes(pem)


def password_file(folder: Path, password: str) -> Path:
    path = folder / "password"
    path.write_text(password + "\n")
    path.chmod(0o600)
    return path


async def works(settings: PostgresSettings) -> bool:
    database = PostgresDatabase(settings.url, read_password=settings.read_password, pool_size=settings.pool_size)
    try:
        row = await database.read_row("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        return row is not None and bool(row[0])
    finally:
        await database.close()


async def test_tls_with_the_right_ca_and_the_right_password(guarded: tuple[str, Path, Path], tmp_path: Path) -> None:
    url, ca, other = guarded
    right = password_file(tmp_path, "first")
    assert await works(PostgresSettings(f"{url}?sslmode=verify-full&sslrootcert={ca}", right, 1))
    for wrong in (
        PostgresSettings(f"{url}?sslmode=verify-full&sslrootcert={other}", right, 1),
        PostgresSettings(f"{url.replace('localhost', '127.0.0.1')}?sslmode=verify-full&sslrootcert={ca}", right, 1),
        PostgresSettings(f"{url}?sslmode=disable", right, 1),
        PostgresSettings(f"{url}?sslmode=verify-full&sslrootcert={ca}", None, 1),
    ):
        with pytest.raises(ServiceUnavailable):
            await works(wrong)


async def test_a_changed_password_is_read_for_the_next_connection(
    guarded: tuple[str, Path, Path], tmp_path: Path
) -> None:
    url, ca, _ = guarded
    settings = PostgresSettings(f"{url}?sslmode=verify-full&sslrootcert={ca}", password_file(tmp_path, "wrong"), 1)
    database = PostgresDatabase(settings.url, read_password=settings.read_password, pool_size=settings.pool_size)
    with pytest.raises(ServiceUnavailable):
        await database.start()
    password_file(tmp_path, "first")
    await database.start()
    await database.close()


@pytest.mark.parametrize(
    "question",
    ["sslmode=sometimes", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem", "sslmode=require&no_such_parameter=1"],
)
async def test_a_url_that_driver_or_server_do_not_understand_is_a_refused_setting(
    guarded: tuple[str, Path, Path], tmp_path: Path, question: str
) -> None:
    url, _, _ = guarded
    with pytest.raises(SettingsRefused, match="GBA_TRUST_DATABASE_URL"):
        await works(PostgresSettings(f"{url}?{question}", password_file(tmp_path, "first"), 1))
