"""`trust-list` from the first key to a withdrawal, as administrators type it, in one process."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.support.trust_lists import HK_POLICY, HK_PREFIX, authority, person
from tests.trust_lists.test_monitoring import signature
from trust_lists.cli import app

PASSWORD = {"GBA_TRUST_KEY_PASSWORD": "correct horse"}


class Desk:
    """An administrator in a directory."""

    def __init__(self, directory: Path) -> None:
        self.repo = directory / "repo"
        self.keys = directory / "keys"
        for name in ("hk", "mo", "gd", "online", "hk2", "hk-w", "mo-w", "gd-w"):
            self.run("key", "new", str(self.keys / f"{name}.pem"), repo=False)

    def public(self, name: str) -> str:
        return str(self.keys / f"{name}.pem.pub.pem")

    def run(self, *arguments: str, code: int = 0, repo: bool = True, env: dict[str, str] | None = None) -> Result:
        full = [*arguments, *(["--repo", str(self.repo)] if repo else [])]
        result = CliRunner().invoke(app, full, env=PASSWORD if env is None else env)
        assert result.exit_code == code, (arguments, result.output, result.exception)
        return result

    def json(self, *arguments: str, code: int = 0, repo: bool = True) -> dict:
        return json.loads(self.run(*arguments, "--json", code=code, repo=repo).stdout)

    def sign(self, *names: str) -> dict:
        return [self.json("sign", "--key", str(self.keys / f"{name}.pem")) for name in names][-1]

    def publish(self, *witnesses: str) -> dict:
        witness = [f"--witness-key={self.keys / name}.pem" for name in witnesses or ("hk-w", "gd-w")]
        return self.json("publish", "--key", str(self.keys / "online.pem"), *witness)

    def witnesses(self) -> list[str]:
        return [f"--witness={region}={self.public(f'{region}-w')}" for region in ("hk", "mo", "gd")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    made = Desk(tmp_path_factory.mktemp("desk"))
    (made.keys / "ca.der").write_bytes(authority("HK CA", "rsa").certificate)
    (made.keys / "person.der").write_bytes(person(authority("HK CA", "rsa"), HK_POLICY))
    (made.keys / "other.der").write_bytes(person(authority("HK CA", "rsa"), "1.2.3.4"))
    return made


def service_add(desk: Desk, *more: str, code: int = 0) -> dict:
    return desk.json(
        "service", "add", "hk-rsa", "--region", "hk", "--provider", "HK Post", "--name", "HK CA", "--certificate",
        str(desk.keys / "ca.der"), "--type-name", "MR", "--policy-oid-prefix", HK_PREFIX, "--purpose", "hk_government",
        "--purpose", "mainland", "--supply-point", "ocsp=http://example.test/ocsp", *more, code=code,
    )  # fmt: skip


def test_the_whole_life_of_a_list(desk: Desk) -> None:
    officers = [f"--officer={region}:ann={desk.public(region)}" for region in ("hk", "mo", "gd")]
    assert desk.json("lint", code=1)["error"]["code"] == "list_draft_refused"
    assert (
        desk.json("init", *officers[:2], "--online", desk.public("online"), code=1)["error"]["code"]
        == "list_draft_refused"
    )
    founding = ("init", *officers, "--online", desk.public("online"))
    assert desk.json(*founding, code=1)["error"]["code"] == "list_draft_refused"
    assert desk.json(*founding, desk.witnesses()[0], code=1)["error"]["code"] == "list_draft_refused"
    assert len(desk.json(*founding, *desk.witnesses())["officers"]) == 3
    assert desk.json(*founding, *desk.witnesses(), code=1)["error"]["code"] == "list_draft_refused"
    desk.json("ca", "add", "--region", "hk", "--name", "HK Post", "--information-uri", "https://example.test/")
    findings = desk.json("lint", code=1)["findings"]
    assert [finding["code"] for finding in findings if finding["severity"] == "error"] == ["empty_provider"]
    assert desk.json("sign", "--key", str(desk.keys / "hk.pem"), code=1)["error"]["code"] == "list_draft_refused"
    assert any(change["subject"] == "hk-rsa" for change in service_add(desk)["changes"])
    desk.json(
        "agreement", "enact", "hk-gd", "--between", "hk,gd", "--purpose", "mainland", "--purpose", "hk_government"
    )
    assert desk.json("lint")["findings"] == []

    assert desk.sign("hk")["missing"].keys() == {"root", "targets", "mo", "gd"}
    refused = desk.json("publish", "--key", str(desk.keys / "online.pem"), code=1)
    assert refused["error"]["code"] == "list_threshold_not_met"
    assert desk.sign("mo", "gd")["missing"] == {}
    assert desk.publish()["version"] == 1
    assert desk.json("publish", "--key", str(desk.keys / "online.pem"), code=1)["error"]["code"] == "list_draft_refused"

    rows = desk.json("explain", str(desk.keys / "person.der"))["standing"]
    assert {row["purpose"]: row["effect"] for row in rows} == {
        "hk_government": "recognised", "hk_private": "not_recognised", "mainland": "recognised", "mo_qualified": "not_recognised",
    }  # fmt: skip
    assert all(
        row["effect"] == "not_recognised"
        for row in desk.json("explain", str(desk.keys / "other.der"), code=1)["standing"]
    )
    assert len(desk.json("explain", str(desk.keys / "person.der"), "--purpose", "mainland")["standing"]) == 1

    changes = desk.json("service", "set-status", "hk-rsa", "withdrawn")["changes"]
    assert [(change["part"], change["subject"]) for change in changes] == [("hk", "hk-rsa")]
    assert desk.json("sign", "--key", str(desk.keys / "mo.pem"), code=1)["error"]["code"] == "key_refused"
    assert desk.sign("hk") == {"signed": ["hk"], "missing": {}}
    assert desk.publish()["version"] == 2
    desk.json("explain", str(desk.keys / "person.der"), code=1)
    granted = desk.json("history", "hk-rsa")["history"][0]["starting_time"]
    assert desk.json("explain", str(desk.keys / "person.der"), "--at", granted)["standing"][0]["effect"] == "recognised"
    assert [period["status"] for period in desk.json("history", "hk-rsa")["history"]] == ["granted", "withdrawn"]

    desk.json("officer", "add", "--region", "hk", "--name", "dan", "--public-key", desk.public("hk2"))
    assert desk.sign("hk")["missing"].keys() == {"root", "targets"}
    assert desk.sign("gd")["missing"] == {}
    assert desk.publish()["version"] == 3
    desk.json("service", "set-status", "hk-rsa", "granted")
    assert desk.sign("hk2")["missing"] == {}
    assert desk.publish()["version"] == 4
    desk.json("officer", "remove", "--region", "hk", "--name", "ann")
    desk.sign("hk2", "mo")
    assert desk.publish()["version"] == 5
    desk.json("agreement", "repeal", "hk-gd")
    desk.json("service", "end-admission", "hk-rsa")
    desk.sign("mo", "gd")
    assert desk.publish()["version"] == 6
    assert desk.json("refresh-timestamp", "--key", str(desk.keys / "online.pem"))["version"] == 6
    assert desk.json("verify")["version"] == 6
    assert desk.json("show")["services"][0]["admitted_until"] is not None
    assert desk.json("doctor")["fresh"] is True


def test_a_copy_is_kept_from_a_directory(desk: Desk, tmp_path: Path) -> None:
    root = desk.repo / "published" / "metadata" / "1.root.json"
    arguments = ("client", str(desk.repo / "published"), str(tmp_path / "copy"), "--root", str(root))
    assert desk.json(*arguments, repo=False)["version"] == 6
    assert (tmp_path / "copy" / "metadata" / "timestamp.json").exists()
    verify = ("verify", str(tmp_path / "copy"), "--root", str(root))
    assert desk.json(*verify, repo=False)["version"] == 6
    section = next((tmp_path / "copy").rglob("hk/*.json"))
    section.write_bytes(section.read_bytes().replace(b"HK CA", b"XX CA"))
    assert desk.json(*verify, repo=False, code=1)["error"]["code"] == "list_mixed"


def test_witnesses_elsewhere(desk: Desk, tmp_path: Path) -> None:
    """Publishing waits for two regions; a witness works on its own copy and sends one small file back."""
    online = ("publish", "--key", str(desk.keys / "online.pem"))
    desk.json(
        "agreement", "enact", "hk-gd", "--between", "hk,gd", "--purpose", "mainland", "--purpose", "hk_government"
    )
    assert desk.json(*online, code=1)["error"]["code"] == "list_draft_refused"
    desk.sign("mo")
    assert desk.json(*online, code=1)["error"]["code"] == "list_threshold_not_met"
    desk.sign("gd")
    wrong = desk.json(*online, "--log-key", str(desk.keys / "hk-w.pem"), code=1)
    assert wrong["error"]["code"] == "key_refused"
    assert desk.json(*online, code=1)["error"]["code"] == "list_not_witnessed"
    copy = tmp_path / "copy"
    shutil.copytree(desk.repo, copy)
    away = desk.run("witness", "--key", str(desk.keys / "mo-w.pem"), "--repo", str(copy), "--json", repo=False)
    assert json.loads(away.stdout)["witnessed_by"] == ["mo"]
    assert desk.json("witness", "--key", str(desk.keys / "hk.pem"), code=1)["error"]["code"] == "key_refused"
    assert desk.json("witness", "--key", str(desk.keys / "hk-w.pem"))["witnessed_by"] == ["hk"]
    old = copy / "published" / "log" / "checkpoint"
    assert desk.json(*online, "--cosigned", str(old), code=1)["error"]["code"] == "list_not_witnessed"
    published = desk.json(*online, "--cosigned", str(copy / "log" / "checkpoint"))
    assert (published["version"], published["witnesses"]) == (7, ["hk", "mo"])

    assert [entry["version"] for entry in desk.json("log", "show")["entries"]] == [1, 2, 3, 4, 5, 6, 7]
    checked = desk.json("log", "check")
    assert (checked["size"], checked["witnesses"]) == (7, ["hk", "mo"])
    assert (
        desk.json("log", "init", "--log", desk.public("hk2"), *desk.witnesses(), code=1)["error"]["code"]
        == "list_draft_refused"
    )
    assert desk.json("evidence", str(copy / "published"))["evidence"] is None
    desk.json(
        "publish", "--key", str(desk.keys / "online.pem"), "--renew", f"--witness-key={desk.keys / 'hk-w'}.pem", code=1
    )
    assert desk.json(*online, "--renew", f"--witness-key={desk.keys / 'gd-w'}.pem")["version"] == 8


def test_evidence_is_an_alarm(desk: Desk, tmp_path: Path) -> None:
    """Two desks with the same keys publish two lists of one version: whoever compares them has the proof."""
    copy = tmp_path / "copy"
    shutil.copytree(desk.repo, copy)
    for repo, status in ((desk.repo, "withdrawn"), (copy, "suspended")):
        other = ["--repo", str(repo), "--json"]
        for arguments in (
            ("service", "set-status", "hk-rsa", status),
            ("sign", "--key", str(desk.keys / "hk2.pem")),
            ("publish", "--key", str(desk.keys / "online.pem"), *(f"--witness-key={desk.keys / name}.pem" for name in ("mo-w", "gd-w"))),
        ):  # fmt: skip
            if repo == copy and arguments[0] == "publish":  # witnesses who forgot what they have seen
                for name in ("mo-w", "gd-w"):
                    (desk.keys / f"{name}.pem.seen").unlink()
            desk.run(*arguments, *other, repo=False)
    found = desk.json("evidence", str(copy / "published"), "--out", str(tmp_path / "evidence.json"), code=1)
    assert found["evidence"] == "two_snapshots_of_one_version"
    assert found["root_is_pinned_one"] is False  # the key that equivocated is a later root's
    assert desk.json("evidence", str(tmp_path / "evidence.json"), code=1)["statement"] == found["statement"]
    human = desk.run("evidence", str(tmp_path / "evidence.json"), code=1)
    assert "signed two different lists" in human.output
    for name in ("mo-w", "gd-w"):  # they forget the other history again
        (desk.keys / f"{name}.pem.seen").unlink()


def test_people_and_keys(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A desk of its own: members, rotation of every kind of key, and the old keys' last signatures."""
    desk = Desk(tmp_path_factory.mktemp("people"))
    for name in ("new-hk", "new-online", "new-w", "new-log"):
        desk.run("key", "new", str(desk.keys / f"{name}.pem"), repo=False)
    officers = [f"--officer={region}:ann={desk.public(region)}" for region in ("hk", "mo", "gd")]
    desk.json("init", *officers, "--online", desk.public("online"), *desk.witnesses())
    changed = desk.json("member", "add", "--region", "mo", "--name", "en=Macao Post", "--name", "pt=Correios de Macau")
    assert changed["changes"][0]["part"] == "scheme"
    assert desk.json("member", "add", "--region", "mo", "--name", "en=x", "--threshold", "2", code=1)["error"]["code"]
    members = desk.json("member", "list")["members"]
    assert [(m["region"], m["officers"], m["threshold"]) for m in members] == [
        (r, ["ann"], 1) for r in ("hk", "mo", "gd")
    ]
    assert members[1]["operator"] == "Macao Post"
    desk.sign("hk", "mo", "gd")
    assert desk.publish()["version"] == 1

    assert desk.json("rotate-key", "hk:bob", "--public-key", desk.public("new-hk"), code=1)["error"]["code"]
    assert desk.json("rotate-key", "hk:ann", "--public-key", desk.public("gd"), code=1)["error"]["code"]
    assert desk.json("rotate-key", "log", "--public-key", desk.public("hk-w"), code=1)["error"]["code"]
    desk.json("rotate-key", "hk:ann", "--public-key", desk.public("new-hk"))
    assert desk.json("sign", "--key", str(desk.keys / "hk.pem"))["signed"] == ["root"]  # the old key says goodbye
    assert desk.sign("new-hk", "gd")["missing"] == {}
    assert desk.publish()["version"] == 2
    desk.json("rotate-key", "online", "--public-key", desk.public("new-online"))
    desk.json("rotate-key", "witness:hk", "--public-key", desk.public("new-w"))
    desk.json("rotate-key", "log", "--public-key", desk.public("new-log"))
    assert desk.json("rotate-key", "witness:xx", "--public-key", desk.public("hk2"), code=1)["error"]["code"]
    desk.sign("new-hk", "mo")
    names = [f"--witness-key={desk.keys / name}.pem" for name in ("new-w", "gd-w")]
    keys = ("--key", str(desk.keys / "new-online.pem"), "--log-key", str(desk.keys / "new-log.pem"))
    assert desk.json("publish", *keys, *names)["version"] == 3
    assert desk.json("verify")["version"] == 3
    assert desk.json("refresh-timestamp", "--key", str(desk.keys / "new-online.pem"))["version"] == 3


def test_xml_is_exported_beside_the_version(desk: Desk) -> None:
    for name in ("x-hk", "x-mo", "x-gd", "x-lists"):
        desk.run("key", "new", str(desk.keys / f"{name}.pem"), "--kind", "p256", repo=False)
    keys = [f"--key={name}={desk.keys / f'x-{name}'}.pem" for name in ("hk", "mo", "gd", "lists")]
    where = ("--base-url", "https://example.test/list")
    assert desk.json("export-xml", keys[3], *where, code=1)["error"]["code"] == "list_draft_refused"
    exported = desk.json("export-xml", *keys, *where)
    version = exported["version"]
    assert list(exported["files"]) == [f"xml/{version}.{part}.xml" for part in ("hk", "mo", "gd", "lists")]
    certificate = (desk.keys / "x-hk.pem.crt").read_bytes()
    read = (
        "import-xml",
        str(desk.repo / "published" / "xml" / f"{version}.hk.xml"),
        "--signer",
        str(desk.keys / "x-hk.pem.crt"),
    )
    assert desk.json(*read, repo=False)["services"] == 1
    assert desk.json("export-xml", *keys, *where)["version"] == version
    assert (desk.keys / "x-hk.pem.crt").read_bytes() == certificate
    ed25519 = f"--key=hk={desk.keys / 'hk.pem'}"
    assert desk.json("export-xml", ed25519, *where, code=1)["error"]["code"] == "key_refused"
    assert CliRunner().invoke(app, ["export-xml", "--key", "xx=y", *where]).exit_code == 2


def test_agreements_are_proposed_first(desk: Desk) -> None:
    propose = ("agreement", "propose", "gd-mo", "--between", "gd,mo", "--purpose")
    assert desk.json(*propose, "moon", code=1)["error"]["code"] == "list_draft_refused"
    assert desk.json("agreement", "enact", "gd-mo", code=1)["error"]["code"] == "list_draft_refused"
    proposed = desk.json(*propose, "mainland", "--name", "GD-MO")
    assert json.loads(Path(proposed["file"]).read_text())["Between"] == ["gd", "mo"]
    assert desk.json("diff")["changes"] == []
    (change,) = desk.json("agreement", "enact", "gd-mo")["changes"]
    assert "gd-mo, mainland" in change["text"]
    assert desk.json("agreement", "enact", "../x", code=1)["error"]["code"] == "list_draft_refused"
    desk.sign("mo", "gd")
    desk.publish("mo-w", "gd-w")
    desk.json("agreement", "repeal", "hk-gd")
    desk.sign("mo", "gd")
    desk.publish("mo-w", "gd-w")
    assert desk.json("agreement", "enact", "hk-gd")["changes"][0]["subject"] == "hk-gd"


def test_monitor_snapshot_and_explain(desk: Desk, tmp_path: Path) -> None:
    watched = desk.json("monitor", "--offline", code=1)
    assert {alert["code"] for alert in watched["alerts"]} <= {"witness_silent", "agreement_repealed"}
    kept = desk.json("snapshot", "--out", str(tmp_path / "kept"))
    assert desk.json("snapshot")["sha256"] == kept["sha256"] == watched["sha256"]
    person_file = str(desk.keys / "person.der")
    explained = desk.json("explain", person_file, "--snapshot", str(tmp_path / "kept"), code=1)
    assert explained["snapshot"] == {"version": kept["version"], "sha256": kept["sha256"], "kept": True}
    assert explained["certificate"]["policies"] == [HK_POLICY]
    assert any(step["change"] for step in explained["steps"])
    granted = desk.json("history", "hk-rsa")["history"][0]["starting_time"]
    aloud = desk.run("explain", person_file, "--at", granted)
    assert "Did that key really sign the certificate? Yes." in aloud.output
    assert "next:" in aloud.output
    pdf = tmp_path / "signed.pdf"
    pdf.write_bytes(b"%PDF-1.7\n" + signature((desk.keys / "person.der").read_bytes()))
    about = desk.run("explain", str(pdf), "--at", granted)
    assert "judges the document" in about.output
    pdf.write_bytes(b"%PDF-1.7\n")
    assert desk.json("explain", str(pdf), code=1)["error"]["code"] == "certificate_malformed"
    refused = desk.run("explain", str(tmp_path / "nothing"), code=3)
    assert "next:" in refused.output


def test_unavailable_is_exit_code_3(desk: Desk, tmp_path: Path) -> None:
    root = str(desk.repo / "published" / "metadata" / "1.root.json")
    for source in ("http://127.0.0.1:1", str(tmp_path / "nothing")):
        assert (
            desk.json("verify", source, "--root", root, repo=False, code=3)["error"]["code"] == "trust_list_unavailable"
        )
    assert desk.json("verify", "--root", str(tmp_path / "no root"), code=3)["error"]["code"] == "list_storage_failed"


@pytest.mark.parametrize(
    "arguments",
    [
        ("service", "set-status", "hk-rsa", "gone"),
        ("service", "set-status", "hk-rsa", "granted", "--at", "yesterday"),
        ("service", "set-status", "hk-rsa", "granted", "--at", "2026-11-24T09:00:00"),
        ("agreement", "enact", "x", "--between", "hk", "--purpose", "mainland"),
        ("init", "--officer", "nonsense", "--online", "x"),
        ("unheard-of",),
    ],
)
def test_usage_is_exit_code_2(desk: Desk, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    repo = ["--repo", str(tmp_path / "new")]
    assert CliRunner().invoke(app, [*arguments, *repo]).exit_code == 2


def test_what_is_refused_is_said_without_a_traceback(desk: Desk, tmp_path: Path) -> None:
    assert desk.json("service", "set-status", "nobody", "granted", code=1)["error"]["code"] == "list_draft_refused"
    bad = tmp_path / "bad.pem"
    bad.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert desk.json("explain", str(bad), code=1)["error"]["code"] == "certificate_malformed"
    assert desk.json("explain", str(tmp_path / "no file"), code=3)["error"]["code"] == "list_storage_failed"
    assert desk.json("history", "nobody", code=1)["error"]["code"] == "list_draft_refused"
    human = desk.run("service", "set-status", "nobody", "granted", code=1)
    assert "list_draft_refused" in human.output
    assert "Traceback" not in human.output


def test_keys_are_protected(desk: Desk) -> None:
    key = desk.keys / "hk2.pem"
    assert b"ENCRYPTED" in key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    assert desk.json("key", "new", str(key), repo=False, code=1)["error"]["code"] == "key_refused"
    wrong = desk.run(
        "refresh-timestamp",
        "--key",
        str(desk.keys / "online.pem"),
        "--json",
        code=1,
        env={"GBA_TRUST_KEY_PASSWORD": "wrong"},
    )
    assert json.loads(wrong.stdout)["error"]["code"] == "key_refused"


def test_tables_are_for_people(desk: Desk) -> None:
    for arguments in (("show",), ("verify",), ("doctor",), ("history", "hk-rsa"), ("diff",), ("lint",)):
        result = desk.run(*arguments)
        assert "next:" in result.output
        assert "┃" in result.output
