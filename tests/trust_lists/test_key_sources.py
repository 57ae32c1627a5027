"""Keys that are not files of ours: a PKCS#11 token (SoftHSM), and a program that signs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.trust_lists import Offices, refusal
from trust_lists.command_signer import CommandSigner, verified
from trust_lists.key_sources import load_signer, pem_of
from trust_lists.pkcs11_signer import parse_pkcs11_uri
from trust_lists.publication import stage_root
from trust_lists.repository import add_signature, signed_by
from trust_lists.signers import generate_key, public_key, public_pem, read_private_key, write_private_key

PIN = "648219"
MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A SoftHSM token with a P-256 and an Ed25519 key; returns the URI without the object."""
    pytest.importorskip("PyKCS11", reason="PyKCS11 not installed")
    module = next((name for name in MODULES if Path(name).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM not installed")
    (tmp_path / "tokens").mkdir()
    config = tmp_path / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {tmp_path}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(config))
    monkeypatch.setenv("GBA_TRUST_KEY_PASSWORD", PIN)
    run = ["softhsm2-util", "--init-token", "--free", "--label", "officer", "--pin", PIN, "--so-pin", "7519"]
    subprocess.run(run, check=True, capture_output=True)
    for number, kind in enumerate(("p256", "ed25519"), 1):
        signer, path = generate_key(kind), tmp_path / f"{kind}.pem"
        write_private_key(path, signer, None)
        add = [
            "softhsm2-util",
            "--import",
            str(path),
            "--token",
            "officer",
            "--label",
            kind,
            "--id",
            f"0{number}",
            "--pin",
            PIN,
        ]
        done = subprocess.run(add, check=False, capture_output=True)
        if done.returncode and kind == "ed25519":
            path.unlink()  # a SoftHSM built without EdDSA
        else:
            assert done.returncode == 0, done.stderr
    return f"pkcs11:token=officer;object={{}}?module-path={module}"


def test_an_officer_signs_with_a_token(token: str, tmp_path: Path) -> None:
    signer = load_signer(token.format("p256"))
    assert pem_of(signer.public_key) == public_pem(read_private_key(tmp_path / "p256.pem", None))
    offices = Offices()
    root = add_signature(stage_root(offices.roster, offices.root, offices.clock(), offices.policy), signer)
    assert signer.public_key.keyid in signed_by(root)
    signer.public_key.verify_signature(signer.sign(b"data"), b"data")


def test_a_witness_signs_with_a_token(token: str, tmp_path: Path) -> None:
    if not (tmp_path / "ed25519.pem").exists():
        pytest.skip("SoftHSM with EdDSA not installed")
    signer = load_signer(token.format("ed25519"))
    assert pem_of(signer.public_key) == public_pem(read_private_key(tmp_path / "ed25519.pem", None))
    signer.public_key.verify_signature(signer.sign(b"data"), b"data")


def test_what_a_token_refuses(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(load_signer, token.format("nobody")) == "key_refused"
    assert refusal(load_signer, token.format("p256").replace("token=officer", "token=other")) == "key_refused"
    assert (
        refusal(load_signer, token.format("p256").partition("module-path=")[0] + "module-path=/no/such.so")
        == "list_storage_failed"
    )
    monkeypatch.setenv("GBA_TRUST_KEY_PASSWORD", "0000")
    assert refusal(load_signer, token.format("p256")) == "key_refused"


@pytest.mark.parametrize(
    "uri",
    ["pkcs11:", "pkcs11:object=x", "pkcs11:object=x;y?module-path=/m", "pkcs11:object=x?module-path=/m&pin-value=1"],
)
def test_pkcs11_uris_that_are_none(uri: str) -> None:
    assert refusal(parse_pkcs11_uri, uri) == "key_refused"


def test_pkcs11_uri_is_unquoted() -> None:
    assert parse_pkcs11_uri("pkcs11:token=A%20B;object=k?module-path=/m.so") == {
        "token": "A B",
        "object": "k",
        "module-path": "/m.so",
    }


SIGN = """
import sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
key = load_pem_private_key(open(sys.argv[1], "rb").read(), None)
sys.stdout.buffer.write(key.sign(sys.stdin.buffer.read()))
"""


def test_a_program_signs(tmp_path: Path) -> None:
    signer = generate_key()
    private, public, script = tmp_path / "key.pem", tmp_path / "my key.pub.pem", tmp_path / "sign.py"
    write_private_key(private, signer, None)
    public.write_text(public_pem(signer))
    script.write_text(SIGN)
    source = f"command:{public}:{sys.executable} '{script}' '{private}'"
    loaded = load_signer(source)
    assert loaded.public_key.keyid == signer.public_key.keyid
    loaded.public_key.verify_signature(loaded.sign(b"data"), b"data")
    other = tmp_path / "other.pem"
    other.write_text(public_pem(generate_key()))
    assert (
        refusal(load_signer(f"command:{other}:{sys.executable} '{script}' '{private}'").sign, b"data") == "key_refused"
    )


@pytest.mark.parametrize(
    "command, code",
    [
        ("true", "key_refused"),
        ("false", "key_refused"),
        ("/no/such/program", "list_storage_failed"),
        ("head -c 1000 /dev/zero", "key_refused"),
        ("echo x", "key_refused"),
    ],
)
def test_programs_that_do_not_sign(command: str, code: str) -> None:
    signer = CommandSigner.parse(generate_key().public_key, command)
    assert refusal(signer.sign, b"data") == code


def test_a_program_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trust_lists.command_signer.TIMEOUT_S", 0.2)
    assert refusal(CommandSigner.parse(generate_key().public_key, "sleep 30").sign, b"data") == "list_storage_failed"


def test_sources_that_name_nothing(tmp_path: Path) -> None:
    key = generate_key().public_key
    for command in ("", "'open"):
        assert refusal(CommandSigner.parse, key, command) == "key_refused"
    for source in ("command:x", "command:/no/file.pem:true", str(tmp_path / "nothing.pem")):
        assert refusal(load_signer, source) == "key_refused"
    p256 = generate_key("p256")
    assert public_key(pem_of(p256.public_key)).keyid == p256.public_key.keyid
    assert refusal(verified, p256.public_key, b"data", b"nonsense") == "key_refused"
