"""The XML form: it parses back to the same value, pyHanko reads it, and we read real European lists."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from asn1crypto import x509
from typer.testing import CliRunner

from tests.conftest import SHARED_DATA
from tests.support.trust_list_xml import BASE, LISTS_SIGNER, SIGNERS, exports, rich_offices, signer
from tests.support.trust_lists import Offices, refusal
from trust_lists.cli import app
from trust_lists.drafting import repeal_agreement
from trust_lists.model import LocalText, ServiceStatus
from trust_lists.vocabulary import Region
from trust_lists.xml_export import Publication, export_region
from trust_lists.xml_import import import_list, read_list, region_list_of, scheme_of
from trust_lists.xml_publication import check_export, export_lists, export_section
from trust_lists.xml_signature import load_xml_key

HK, MO, GD = Region


@pytest.fixture(scope="module")
def offices() -> Offices:
    return rich_offices()


@pytest.fixture(scope="module")
def files(offices: Offices) -> dict[str, bytes]:
    return exports(offices)


def test_every_part_parses_back_to_the_same_value(offices: Offices, files: dict[str, bytes]) -> None:
    snapshot = offices.published.snapshot
    version = snapshot.version
    assert list(files) == [f"xml/{version}.{part}.xml" for part in ("hk", "mo", "gd", "lists")]
    for region in Region:
        imported = import_list(files[f"xml/{version}.{region.value}.xml"], SIGNERS[region].der)
        assert region_list_of(imported.list) == snapshot.sections[region]
        assert (imported.list.version, imported.list.territory) == (6, region.territory)
    lists = import_list(files[f"xml/{version}.lists.xml"], LISTS_SIGNER.der).list
    assert scheme_of(lists) == snapshot.scheme
    assert [(p.territory, p.certificates) for p in lists.pointers] == [(r.territory, (SIGNERS[r].der,)) for r in Region]
    assert lists.pointers[0].location == f"{BASE}/xml/{version}.hk.xml"


def test_an_empty_region_parses_back(offices: Offices) -> None:
    section = replace(offices.published.snapshot.sections[MO], providers=())
    tree = export_region(section, offices.published.snapshot.scheme, Publication())
    assert region_list_of(read_list(tree)) == section


def test_what_xml_cannot_say_is_not_exported(offices: Offices) -> None:
    snapshot = offices.published.snapshot
    odd = replace(snapshot.sections[MO], operator_names=(LocalText("en", "\x01"),))
    assert refusal(export_region, odd, snapshot.scheme, Publication()) == "list_draft_refused"
    spaced = replace(
        snapshot,
        sections={**snapshot.sections, MO: replace(snapshot.sections[MO], operator_names=(LocalText("en", " x "),))},
    )
    assert refusal(export_section, spaced, MO, SIGNERS[MO], offices.clock(), Publication()) == "list_draft_refused"


def test_list_of_lists_wants_all_three_of_this_version(offices: Offices, files: dict[str, bytes]) -> None:
    snapshot = offices.published.snapshot
    own = {region: files[f"xml/{snapshot.version}.{region.value}.xml"] for region in Region}
    arguments = (BASE, LISTS_SIGNER, offices.clock(), Publication())
    assert refusal(export_lists, snapshot, {HK: own[HK]}, *arguments) == "list_draft_refused"
    older = Offices()
    assert refusal(export_lists, older.published.snapshot, own, *arguments) == "list_draft_refused"


def test_an_export_counts_only_when_it_says_what_the_list_says(offices: Offices, files: dict[str, bytes]) -> None:
    snapshot = offices.published.snapshot
    for part in (*Region, "lists"):
        name = f"xml/{snapshot.version}.{part.value if isinstance(part, Region) else part}.xml"
        assert check_export(snapshot, part, files[name]) == files[name]
    other = Offices()
    other.set_status("hk-rsa", ServiceStatus.WITHDRAWN)
    other.publish(repeal_agreement(other.draft(), "hk-gd", other.clock()))
    assert refusal(check_export, other.published.snapshot, HK, files[f"xml/{snapshot.version}.hk.xml"]) == "list_mixed"
    assert (
        refusal(check_export, other.published.snapshot, "lists", files[f"xml/{snapshot.version}.lists.xml"])
        == "list_mixed"
    )


def test_only_keys_that_european_tools_verify() -> None:
    from cryptography.hazmat.primitives.asymmetric import ed25519
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert refusal(load_xml_key, pem, None) == "key_refused"
    assert refusal(load_xml_key, b"nonsense", None) == "key_refused"


# --- foreign judges ----------------------------------------------------------------------------------------------------


def test_pyhanko_reads_our_lists(offices: Offices, files: dict[str, bytes]) -> None:
    """pyHanko's own list parser, signature check included: it finds every granted CA/QC service."""
    eutl = pytest.importorskip(
        "pyhanko.sign.validation.qualified.eutl_parse", reason="pyhanko[etsi] not installed", exc_type=ImportError
    )
    version = offices.published.snapshot.version
    for region in (MO, GD, HK):
        certificate = x509.Certificate.load(SIGNERS[region].der)
        text = files[f"xml/{version}.{region.value}.xml"].decode()
        signed = eutl._validate_and_extract_tl_data(text, certificate, None)
        registry, errors = eutl.trust_list_to_registry_unsafe(signed)
        assert errors == []
        services = offices.published.snapshot.sections[region].services
        known = {authority.certificate.dump() for authority in registry.known_certificate_authorities}
        granted = {
            s.certificates[0]
            for s in services
            if s.type.word == "ca-qc" and any(p.status.word == "granted" for p in s.periods)
        }
        assert known == granted
    other = x509.Certificate.load(signer().der)
    with pytest.raises(Exception, match="Invalid XML signature"):
        eutl._validate_and_extract_tl_data(files[f"xml/{version}.hk.xml"].decode(), other, None)


def test_pyhanko_reads_our_list_of_lists(files: dict[str, bytes]) -> None:
    eutl = pytest.importorskip(
        "pyhanko.sign.validation.qualified.eutl_parse", reason="pyhanko[etsi] not installed", exc_type=ImportError
    )
    (name,) = [name for name in files if name.endswith("lists.xml")]
    parsed = eutl.parse_lotl_unsafe(files[name].decode())
    assert [reference.territory for reference in parsed.references] == ["HK", "MO", "CN-GD"]
    assert [certs.dump() for reference in parsed.references for certs in reference.tlso_certs] == [
        SIGNERS[r].der for r in Region
    ]


def test_xmllint_reads_our_lists(files: dict[str, bytes], tmp_path: Path) -> None:
    if shutil.which("xmllint") is None:
        pytest.skip("xmllint not installed")
    for name, data in files.items():
        path = tmp_path / Path(name).name
        path.write_bytes(data)
        assert (
            subprocess.run(["xmllint", "--noout", "--nonet", str(path)], check=False, capture_output=True).returncode
            == 0
        )


# --- real lists --------------------------------------------------------------------------------------------------------


def shared(name: str) -> Path:
    path = SHARED_DATA / "trust-lists" / name
    if not path.exists():
        pytest.skip(f"shared data absent: trust-lists/{name}")
    return path


def imported(path: Path, *more: str, code: int = 0) -> dict:
    result = CliRunner().invoke(app, ["import-xml", str(path), "--json", *more])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "name, territory, sequence, services, history, pointers, expired",
    [
        ("pyhanko_tsl-be-v6.xml", "BE", 81, 135, 73, 1, None),
        ("dss_eu-lotl.xml", "EU", 248, 0, 0, 44, True),
        ("dss_mra-zz-tl.xml", "ZZ", 4, 1, 0, 1, None),
        ("dss_fi-v5.xml", "FI", 49, 19, 14, 1, True),
    ],
)
def test_real_lists(
    name: str, territory: str, sequence: int, services: int, history: int, pointers: int, expired: bool | None
) -> None:
    value = imported(shared(name))
    found = (
        value["territory"],
        value["sequence_number"],
        value["services"],
        value["history_entries"],
        value["pointers"],
    )
    assert found == (territory, sequence, services, history, pointers)
    assert value["signature"]["status"] == "valid"
    assert value["signature"]["signer"]
    assert value["error"] is None
    if expired:
        assert value["warnings"] == ["list_expired"]


def test_a_real_list_altered_after_signing() -> None:
    value = imported(shared("dss_eu-lotl-broken-sig.xml"), code=1)
    assert value["signature"]["status"] == "invalid"
    assert value["error"]["code"] == "signature_invalid"


def test_import_from_the_command_line(files: dict[str, bytes], tmp_path: Path) -> None:
    (name,) = [name for name in files if name.endswith("hk.xml")]
    path, certificate = tmp_path / "hk.xml", tmp_path / "hk.crt"
    path.write_bytes(files[name])
    certificate.write_bytes(SIGNERS[HK].der)
    value = imported(path, "--signer", str(certificate))
    assert (value["territory"], value["providers"], value["services"], value["history_entries"]) == ("HK", 1, 3, 3)
    certificate.write_bytes(SIGNERS[MO].der)
    assert imported(path, "--signer", str(certificate), code=1)["error"]["code"] == "signature_invalid"
    path.write_bytes(b"<a/>")
    assert imported(path, code=1)["error"]["code"] == "list_malformed"
    assert imported(tmp_path / "nothing", code=3)["error"]["code"] == "list_storage_failed"
    human = CliRunner().invoke(app, ["import-xml", str(path)])
    assert human.exit_code == 1
    assert "list_malformed" in human.output
    assert "next:" in human.output
