"""The recognition rule, condition by condition, and its answer as a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import x509

from tests.support.trust_lists import (
    GD_PREFIX,
    HK_POLICY,
    HK_PREFIX,
    MO_PREFIX,
    Offices,
    authority,
    drafts,
    make_certificate,
    new_key,
    person,
    refusal,
)
from trust_lists.drafting import enact_agreement, end_admission, repeal_agreement
from trust_lists.model import ServiceStatus
from trust_lists.recognition import Effect, StandingRow, find_issuer, standing
from trust_lists.snapshot import Snapshot
from trust_lists.vocabulary import Region

HK_CA, GD_CA = authority("HK CA", "rsa"), authority("GD CA", "rsa")
MO_CA, SM2_CA, TSA = authority("MO CA"), authority("GD SM2 CA", "sm2"), authority("HK TSA")
CERTIFICATE = person(HK_CA, HK_POLICY)


@pytest.fixture(scope="module")
def offices() -> Offices:
    return Offices()


def table(snapshot: Snapshot, certificate: bytes, issuer: bytes, at: datetime) -> dict[str, StandingRow]:
    return {row.purpose: row for row in standing(snapshot, certificate, issuer, at)}


def effects(snapshot: Snapshot, certificate: bytes, issuer: bytes, at: datetime) -> str:
    """`+` or `-` for hk_government, hk_private, mainland, mo_qualified."""
    return "".join(
        "+" if row.effect is Effect.RECOGNISED else "-" for row in standing(snapshot, certificate, issuer, at)
    )


@pytest.mark.parametrize(
    "ca, policy, expected",
    [
        (HK_CA, HK_POLICY, "+++-"),
        (GD_CA, GD_PREFIX + ".7", "++++"),
        (SM2_CA, GD_PREFIX, "++++"),
        (MO_CA, MO_PREFIX + ".1.2", "--++"),
    ],
    ids=["Hong Kong", "Guangdong RSA", "Guangdong SM2", "Macao"],
)
def test_each_region_abroad_and_at_home(offices: Offices, ca: object, policy: str, expected: str) -> None:
    """Between Hong Kong and Macao there is no agreement, so nothing."""
    assert effects(offices.first.snapshot, person(ca, policy), ca.certificate, offices.clock()) == expected


def test_the_row_says_why(offices: Offices) -> None:
    rows = table(offices.first.snapshot, CERTIFICATE, HK_CA.certificate, offices.clock())
    abroad, home, denied = rows["mainland"], rows["hk_government"], rows["mo_qualified"]
    assert (abroad.region, abroad.service, abroad.agreement) == (Region.GD, "hk-rsa", "hk-gd")
    assert (home.region, home.service, home.agreement) == (Region.HK, "hk-rsa", None)
    assert (denied.effect, denied.service, denied.agreement) == (Effect.NOT_RECOGNISED, "hk-rsa", None)
    assert all(row.reason.endswith(".") and "\n" not in row.reason for row in rows.values())
    assert abroad.to_json() == {
        "region": "gd",
        "purpose": "mainland",
        "effect": "recognised",
        "service": "hk-rsa",
        "agreement": "hk-gd",
        "reason": abroad.reason,
    }


@pytest.mark.parametrize(
    "policy",
    [
        None,
        "2.16.344.8.2.2008.810",
        "2.16.344.8.2.2008.8100.2",
        "2.16.344.8.2.2008.810.20.1",
        "1.3.6.1.4.1.16030.1.2",
        "2.16.344.8.2.2008.810.1",
    ],
    ids=["none", "shorter", "digits run on", "digits run on at the end", "other product", "sibling"],
)
def test_same_issuer_other_product(offices: Offices, policy: str | None) -> None:
    """Never the CA alone: the policy must lie under the prefix, arc by arc."""
    assert effects(offices.first.snapshot, person(HK_CA, policy), HK_CA.certificate, offices.clock()) == "----"


def test_the_prefix_itself_and_several_policies(offices: Offices) -> None:
    certificate = make_certificate("P", new_key("p256"), HK_CA.name, HK_CA.key, policies=("1.2.3", HK_PREFIX))
    assert effects(offices.first.snapshot, certificate, HK_CA.certificate, offices.clock()) == "+++-"


def test_key_usage_must_allow_it(offices: Offices) -> None:
    certificate = person(HK_CA, HK_POLICY, key_usage=frozenset({"key_encipherment"}))
    rows = table(offices.first.snapshot, certificate, HK_CA.certificate, offices.clock())
    assert {row.effect for row in rows.values()} == {Effect.NOT_RECOGNISED}
    assert "key usage" in rows["mainland"].reason


def test_a_ca_certificate_is_nobody(offices: Offices) -> None:
    sub_ca = make_certificate("Sub CA", new_key("p256"), HK_CA.name, HK_CA.key, ca=True, policies=(HK_POLICY,))
    assert effects(offices.first.snapshot, sub_ca, HK_CA.certificate, offices.clock()) == "----"


def test_unknown_issuer_of_the_same_name(offices: Offices) -> None:
    """A name says nothing: only the key does."""
    other = new_key("rsa")
    impostor = make_certificate(HK_CA.name, other, HK_CA.name, other, ca=True)
    certificate = make_certificate("P", new_key("p256"), HK_CA.name, other, policies=(HK_POLICY,))
    at = offices.clock()
    assert effects(offices.first.snapshot, certificate, impostor, at) == "----"
    rows = table(offices.first.snapshot, certificate, HK_CA.certificate, at)
    assert "not signed" in rows["mainland"].reason
    assert find_issuer(offices.first.snapshot, certificate) is None
    assert find_issuer(offices.first.snapshot, CERTIFICATE) == HK_CA.certificate


def test_issuer_under_another_name(offices: Offices) -> None:
    certificate = make_certificate("P", new_key("p256"), "Somebody else", HK_CA.key, policies=(HK_POLICY,))
    rows = table(offices.first.snapshot, certificate, HK_CA.certificate, offices.clock())
    assert "another issuer" in rows["mainland"].reason


def test_a_renewed_ca_certificate_with_the_same_key_counts(offices: Offices) -> None:
    renewed = make_certificate(HK_CA.name, HK_CA.key, HK_CA.name, HK_CA.key, ca=True, serial=2)
    assert effects(offices.first.snapshot, CERTIFICATE, renewed, offices.clock()) == "+++-"


def test_a_tsa_does_not_issue_to_people(offices: Offices) -> None:
    assert effects(offices.first.snapshot, person(TSA, HK_POLICY), TSA.certificate, offices.clock()) == "----"


def test_status_is_that_of_the_moment() -> None:
    offices = Offices()
    before = offices.clock()
    withdrawn = offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN).snapshot
    while_withdrawn = offices.clock()
    again = offices.set_status("hk-rsa", ServiceStatus.GRANTED).snapshot
    after = offices.clock()
    assert effects(withdrawn, CERTIFICATE, HK_CA.certificate, before) == "+++-"
    assert effects(withdrawn, CERTIFICATE, HK_CA.certificate, while_withdrawn) == "----"
    assert [effects(again, CERTIFICATE, HK_CA.certificate, at) for at in (before, while_withdrawn, after)] == [
        "+++-",
        "----",
        "+++-",
    ]
    assert effects(again, CERTIFICATE, HK_CA.certificate, before - timedelta(days=1)) == "----"
    service = withdrawn.service("hk-rsa")
    assert service.sunset_before(while_withdrawn) == service.periods[-1].starting_time
    assert service.sunset_before(before) is None
    assert again.service("hk-rsa").sunset_before(after) is None


def test_suspension_counts_as_not_granted() -> None:
    offices = Offices()
    snapshot = offices.set_status("gd-sm2", ServiceStatus.SUSPENDED).snapshot
    assert effects(snapshot, person(SM2_CA, GD_PREFIX), SM2_CA.certificate, offices.clock()) == "----"
    assert effects(snapshot, person(GD_CA, GD_PREFIX), GD_CA.certificate, offices.clock()) == "++++"


def test_agreements_begin_and_end() -> None:
    offices = Offices()
    before = offices.clock()
    repealed = offices.publish(repeal_agreement(offices.draft(), "hk-gd", offices.clock())).snapshot
    between = offices.clock()
    assert effects(repealed, CERTIFICATE, HK_CA.certificate, before) == "+++-"
    assert effects(repealed, CERTIFICATE, HK_CA.certificate, between) == "++--"
    draft = enact_agreement(
        offices.draft(),
        "hk-gd",
        (Region.HK, Region.GD),
        ("hk_government", "hk_private", "mainland"),
        "",
        offices.clock(),
    )
    draft = enact_agreement(draft, "hk-mo", (Region.HK, Region.MO), ("mo_qualified",), "HK-MO", offices.clock())
    enacted = offices.publish(draft).snapshot
    assert effects(enacted, CERTIFICATE, HK_CA.certificate, offices.clock()) == "++++"
    assert effects(enacted, CERTIFICATE, HK_CA.certificate, between) == "++--"


def test_joint_admission_can_end() -> None:
    offices = Offices()
    before = offices.clock()
    ended = offices.publish(end_admission(offices.draft(), "hk-rsa", offices.clock())).snapshot
    assert effects(ended, CERTIFICATE, HK_CA.certificate, before) == "+++-"
    assert effects(ended, CERTIFICATE, HK_CA.certificate, offices.clock()) == "----"
    service = ended.service("hk-rsa")
    assert service.sunset_before(offices.clock()) == service.admission.until


def test_a_product_is_admitted_for_its_purposes_only() -> None:
    offices = Offices((replace(drafts()[0], purposes=("mainland",)),))
    assert effects(offices.first.snapshot, CERTIFICATE, HK_CA.certificate, offices.clock()) == "--+-"


def test_algorithms_age_with_the_relying_region(offices: Offices) -> None:
    """RSA-2048 is not suitable from 2031 on, whatever the list says of the CA."""
    rows = table(offices.first.snapshot, CERTIFICATE, HK_CA.certificate, datetime(2031, 1, 2, tzinfo=UTC))
    assert "algorithms" in rows["mainland"].reason


def test_weak_signature_of_the_certificate(offices: Offices) -> None:
    weak = x509.Certificate.load(CERTIFICATE)
    weak["signature_algorithm"] = {"algorithm": "sha1_rsa"}
    weak["tbs_certificate"]["signature"] = {"algorithm": "sha1_rsa"}
    rows = table(offices.first.snapshot, weak.dump(force=True), HK_CA.certificate, offices.clock())
    assert "algorithm" in rows["mainland"].reason


def test_nonsense_is_not_judged(offices: Offices) -> None:
    for pair in ((b"x", HK_CA.certificate), (CERTIFICATE, b"x")):
        assert refusal(standing, offices.first.snapshot, *pair, offices.clock()) == "certificate_malformed"


def test_snapshot_looks_up_by_key(offices: Offices) -> None:
    snapshot = offices.first.snapshot
    assert snapshot.service_for(SM2_CA.certificate).id == "gd-sm2"
    assert snapshot.service_for(authority("unlisted").certificate) is None
    assert {anchor.service.id for anchor in snapshot.anchors()} == {"hk-rsa", "mo-p256", "gd-rsa", "gd-sm2", "hk-tsa"}
    assert snapshot.service("nobody") is None
