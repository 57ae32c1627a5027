"""What `monitor` says, and when; what a kept snapshot is worth years later; the rule walked aloud; a PDF's signers."""

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from asn1crypto import cms

from tests.support.trust_lists import (
    GD_PREFIX,
    HK_POLICY,
    START,
    Offices,
    Ticker,
    authority,
    make_certificate,
    new_key,
    operators,
    person,
    refusal,
)
from trust_lists.drafting import end_admission, repeal_agreement
from trust_lists.explanation import walk
from trust_lists.kept_snapshots import ROOT_NAME, keep_snapshot, load_snapshot
from trust_lists.list_log import Notary
from trust_lists.model import ServiceStatus
from trust_lists.monitoring import alerts_of
from trust_lists.pdf_certificates import MAX_SIGNATURES, is_pdf, signers_of
from trust_lists.recognition import CHECKS, standing
from trust_lists.supply_points import unreachable
from trust_lists.vocabulary import Region

HK, MO, GD = Region
MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def offices() -> Offices:
    return Offices()


def codes(offices: Offices, **after: float) -> dict[str, str]:
    at = START + timedelta(**after)
    return {alert.code: alert.severity for alert in alerts_of(offices.published.snapshot, at, MONTH)}


def test_a_fresh_list_needs_nothing(offices: Offices) -> None:
    assert codes(offices) == {}


def test_everything_runs_out_in_its_time(offices: Offices) -> None:
    assert codes(offices, hours=22, minutes=30) == {"timestamp_stale": "due"}
    assert codes(offices, hours=25) == {"timestamp_stale": "expired"}
    assert codes(offices, days=21)["snapshot_expires"] == "due"
    assert codes(offices, days=151)["list_expires"] == "due"
    assert codes(offices, days=181)["list_expires"] == "expired"
    assert codes(offices, days=340)["root_expires"] == "due"
    assert codes(offices, days=3640)["certificate_expires"] == "due"
    assert codes(offices, days=3660)["certificate_expires"] == "expired"


def test_what_the_regions_ended() -> None:
    offices = Offices()
    offices.publish(end_admission(offices.draft(), "hk-rsa", offices.clock()))
    offices.publish(repeal_agreement(offices.draft(), "gd-mo", offices.clock()))
    alerts = alerts_of(offices.published.snapshot, offices.clock(), MONTH)
    assert [(alert.code, alert.subject) for alert in alerts] == [("agreement_repealed", "gd-mo")]
    assert "mo_qualified" in alerts[0].text
    assert alerts[0].to_json()["due"] is not None
    offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN)
    empty = alerts_of(Offices(()).published.snapshot, START, MONTH)
    assert [alert.code for alert in empty] == ["list_empty"]


def test_a_silent_witness_is_noticed() -> None:
    offices = Offices()
    two = {region: offices.notary._witnesses[region] for region in (HK, GD)}
    offices.notary = Notary(
        offices.notary.keys, offices.notary._log_signer, two, offices.notary.log, offices.notary.note
    )
    offices.set_status("hk-rsa", ServiceStatus.SUSPENDED)
    assert codes(offices) == {"witness_silent": "due"}


def test_supply_points_are_asked() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "down.test":
            raise httpx.ConnectError("refused")
        return httpx.Response({"good.test": 200, "picky.test": 405, "broken.test": 503}[request.url.host])

    uris = (
        "http://good.test/",
        "http://picky.test/",
        "http://broken.test/",
        "http://down.test/",
        "ldap://x.test/",
        "http://good.test/",
    )
    found = asyncio.run(unreachable(uris, httpx.AsyncClient(transport=httpx.MockTransport(answer))))
    assert found == {"http://broken.test/": "answers 503", "http://down.test/": "does not answer (ConnectError)"}


# --- kept snapshots ----------------------------------------------------------------------------------------------------


def test_a_kept_snapshot_judges_as_it_did(tmp_path: Path) -> None:
    clock = Ticker()
    made = operators(tmp_path / "operators", clock)
    keep_snapshot(made.repository, made.trusted_root(), tmp_path / "kept")
    assert refusal(keep_snapshot, made.repository, made.trusted_root(), tmp_path / "kept") == "list_draft_refused"
    made.set_status("hk-rsa", "withdrawn")
    years = clock.forward(days=2000)
    kept = load_snapshot(tmp_path / "kept", None, years)
    assert (kept.version, kept.service("hk-rsa").status) == (1, ServiceStatus.GRANTED)
    assert load_snapshot(tmp_path / "kept", made.trusted_root(), years).sha256 == kept.sha256
    other = operators(tmp_path / "other", Ticker())
    assert refusal(load_snapshot, tmp_path / "kept", other.trusted_root(), years) == "list_threshold_not_met"
    section = next((tmp_path / "kept" / "targets" / "hk").iterdir())
    section.write_bytes(section.read_bytes().replace(b"granted", b"granteb"))
    assert refusal(load_snapshot, tmp_path / "kept", None, years) == "list_mixed"
    (tmp_path / "kept" / ROOT_NAME).unlink()
    assert refusal(load_snapshot, tmp_path / "kept", None, years) == "list_storage_failed"


# --- the rule walked aloud ---------------------------------------------------------------------------------------------


def steps_of(
    offices: Offices, certificate: bytes, issuer: str, kind: str, purpose: str
) -> dict[str, tuple[bool, str | None]]:
    found = walk(offices.published.snapshot, certificate, authority(issuer, kind).certificate, offices.clock())
    return {step.check: (step.holds, step.change) for step in found if step.purpose == purpose}


def test_a_recognised_certificate_walks_through(offices: Offices) -> None:
    steps = steps_of(offices, person(authority("HK CA", "rsa"), HK_POLICY), "HK CA", "rsa", "mainland")
    assert list(steps) == [check.__name__.removeprefix("check_") for check in CHECKS] + ["agreement"]
    assert set(steps.values()) == {(True, None)}


def test_every_obstacle_is_named_with_its_change() -> None:
    offices = Offices()
    ca = authority("HK CA", "rsa")
    wrong = person(ca, "1.2.3.4")
    offices.set_status("hk-rsa", ServiceStatus.SUSPENDED)
    steps = steps_of(offices, wrong, "HK CA", "rsa", "mo_qualified")
    assert {name for name, (holds, _) in steps.items() if not holds} == {"status", "certificate_type", "agreement"}
    assert "set-status hk-rsa granted" in steps["status"][1]
    assert "it carries 1.2.3.4" in steps["certificate_type"][1]
    assert "--between hk,mo" in steps["agreement"][1]
    offices.publish(end_admission(offices.draft(), "hk-rsa", offices.clock()))
    assert not steps_of(offices, wrong, "HK CA", "rsa", "mainland")["admission"][0]


def test_unlisted_forged_and_weak(offices: Offices) -> None:
    stranger = authority("Nobody's CA")
    (step,) = steps_of(offices, person(stranger, HK_POLICY), "Nobody's CA", "p256", "mainland").items()
    assert step[0] == "listed"
    assert "service add" in step[1][1]
    forged = make_certificate("A Person", new_key("p256"), "HK CA", stranger.key, policies=(HK_POLICY,))
    assert "really signed" in steps_of(offices, forged, "HK CA", "rsa", "mainland")["issued"][1]
    tsa = authority("HK TSA")
    assert not steps_of(offices, person(tsa, HK_POLICY), "HK TSA", "p256", "mainland")["service_type"][0]
    weak = make_certificate(
        "A Person", new_key("rsa1024"), "GD CA", authority("GD CA", "rsa").key, policies=(GD_PREFIX,)
    )
    assert "considers suitable" in steps_of(offices, weak, "GD CA", "rsa", "mainland")["algorithm"][1]


def test_a_walk_never_disagrees_with_the_rule(offices: Offices) -> None:
    for name, kind, policy in (
        ("HK CA", "rsa", HK_POLICY),
        ("HK CA", "rsa", "1.2.3"),
        ("GD CA", "rsa", GD_PREFIX),
        ("MO CA", "p256", HK_POLICY),
    ):
        ca = authority(name, kind)
        certificate = person(ca, policy)
        rows = standing(offices.published.snapshot, certificate, ca.certificate, offices.clock())
        steps = walk(offices.published.snapshot, certificate, ca.certificate, offices.clock())
        for row in rows:
            own = [step for step in steps if step.purpose == row.purpose]
            assert all(step.holds for step in own) == (row.effect.value == "recognised")
            if row.effect.value != "recognised":
                assert next(step for step in own if not step.holds).finding == row.reason


# --- the signers of a PDF ----------------------------------------------------------------------------------------------


def signature(certificate: bytes, *others: bytes) -> bytes:
    from asn1crypto import x509

    loaded = x509.Certificate.load(certificate)
    signed = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [],
            "encap_content_info": {"content_type": "data"},
            "certificates": [x509.Certificate.load(other) for other in (*others, certificate)],
            "signer_infos": [
                {
                    "version": "v1",
                    "sid": cms.SignerIdentifier(
                        {"issuer_and_serial_number": {"issuer": loaded.issuer, "serial_number": loaded.serial_number}}
                    ),
                    "digest_algorithm": {"algorithm": "sha256"},
                    "signature_algorithm": {"algorithm": "sha256_ecdsa"},
                    "signature": b"x",
                }
            ],
        }
    )
    value = cms.ContentInfo({"content_type": "signed_data", "content": signed}).dump()
    return b"<< /Type /Sig /Contents <" + value.hex().encode() + b"0000> /ByteRange [0 1 2 3] >>\n"


def test_the_last_signer_of_a_pdf_comes_first() -> None:
    ca = authority("HK CA", "rsa")
    first, last = person(ca, HK_POLICY, serial=1), person(ca, HK_POLICY, serial=2)
    pdf = b"%PDF-1.7\n" + signature(first) + b"/Contents <" + b"ab" * 40 + b">" + signature(last, ca.certificate)
    assert is_pdf(pdf)
    assert [signer.certificate for signer in signers_of(pdf)] == [last, first]
    assert signers_of(pdf)[0].others == (ca.certificate,)


@pytest.mark.parametrize(
    "pdf",
    [
        b"%PDF-1.7\n",
        b"%PDF-1.7 /Contents <" + b"00" * 100 + b">",
        b"%PDF-1.7 /Contents <" + b"0" * 101 + b">",
        b"%PDF" + b"/Contents <" + b"30" * 4000 + b">",
    ],
)
def test_pdfs_without_a_signer(pdf: bytes) -> None:
    assert refusal(signers_of, pdf) == "certificate_malformed"


def test_a_pdf_of_too_many_signatures() -> None:
    one = signature(person(authority("HK CA", "rsa"), HK_POLICY))
    assert refusal(signers_of, b"%PDF-1.7\n" + one * (MAX_SIGNATURES + 1)) == "certificate_malformed"
