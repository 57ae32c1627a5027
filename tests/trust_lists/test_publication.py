"""Drafting, differences, findings, staging: what an officer sees before signing, and what needs whose signature."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tuf.api.metadata import Metadata

from tests.support.trust_lists import HK_PREFIX, START, Offices, authority, make_certificate, new_key, refusal
from trust_lists.config import PublicationPolicy
from trust_lists.diff import diff
from trust_lists.drafting import (
    NewService,
    add_provider,
    add_service,
    enact_agreement,
    end_admission,
    repeal_agreement,
    set_status,
)
from trust_lists.founding import founding_draft
from trust_lists.lint import errors_of, lint
from trust_lists.model import CertificateType, ServiceStatus, ServiceType
from trust_lists.publication import (
    Staged,
    allowed_signers,
    put_together,
    refresh_timestamp,
    reopen,
    roles_touched,
    sign_role,
    stage,
    stage_root,
)
from trust_lists.repository import Officer, Roster, add_signature, role_version, signed_by
from trust_lists.signers import generate_key, public_key, public_pem
from trust_lists.vocabulary import Region

HK, MO, GD = Region


@pytest.fixture
def offices() -> Offices:
    return Offices()


def new_service(**changes: object) -> NewService:
    ca = authority("HK second CA", "rsa")
    kind = CertificateType("Second", HK_PREFIX, ("mainland",), START)
    return replace(
        NewService("hk-two", HK, "HK Post", "HK second", ServiceType.CA_PKC, ca.certificate, (kind,)), **changes
    )


def test_only_what_changed_waits_for_signatures(offices: Offices) -> None:
    at = offices.clock()

    def touched(draft: object) -> tuple[str, ...]:
        return roles_touched(stage(draft, offices.roster, offices.published, at, offices.policy))

    assert touched(offices.draft()) == ()
    assert touched(set_status(offices.draft(), "hk-rsa", ServiceStatus.WITHDRAWN, at)) == ("hk",)
    assert touched(repeal_agreement(offices.draft(), "hk-gd", at)) == ("targets",)
    assert touched(add_service(offices.draft(), new_service(), at)) == ("targets", "hk")
    offices.clock.forward(days=100)
    assert roles_touched(stage(offices.draft(), offices.roster, offices.published, offices.clock(), offices.policy)) == (
        "targets", "hk", "mo", "gd",
    )  # fmt: skip


def test_a_new_officer_changes_the_joint_part(offices: Offices) -> None:
    extra = Officer(HK, "two", public_key(public_pem(generate_key()), HK, "two"))
    roster = replace(offices.roster, officers=(*offices.roster.officers, extra))
    staged = stage(offices.draft(), roster, offices.published, offices.clock(), offices.policy)
    assert roles_touched(staged) == ("targets",)
    assert extra.key.keyid in allowed_signers("hk", roster)
    assert extra.key.keyid not in allowed_signers("mo", roster)


def test_a_region_may_want_two_officers(offices: Offices) -> None:
    second = generate_key()
    extra = Officer(HK, "two", public_key(public_pem(second), HK, "two"))
    roster = replace(offices.roster, officers=(*offices.roster.officers, extra), section_thresholds={HK: 2})
    offices.roster = roster
    root = offices.sign_root(stage_root(roster, offices.root, offices.clock(), offices.policy), (HK, MO))  # fmt: skip
    staged = offices.staged(set_status(offices.draft(), "hk-rsa", ServiceStatus.WITHDRAWN, offices.clock()))
    bundle = replace(offices.bundle(staged), roots=(root,))
    assert refusal(offices.accept, bundle) == "list_threshold_not_met"
    both = sign_role(staged, "hk", second, allowed_signers("hk", roster))
    assert offices.accept(replace(offices.bundle(both), roots=(root,))).version == 2


def test_foreign_keys_do_not_sign(offices: Offices) -> None:
    staged = stage(set_status(offices.draft(), "hk-rsa", ServiceStatus.WITHDRAWN, offices.clock()), offices.roster,
                   offices.published, offices.clock(), offices.policy)  # fmt: skip
    assert refusal(sign_role, staged, "hk", offices.signers[MO], allowed_signers("hk", offices.roster)) == "key_refused"
    assert (
        refusal(sign_role, staged, "mo", offices.signers[MO], allowed_signers("mo", offices.roster))
        == "list_draft_refused"
    )
    signed = sign_role(staged, "hk", offices.signers[HK], allowed_signers("hk", offices.roster))
    assert signed_by(signed.metadata["hk"]) == {offices.signers[HK].public_key.keyid}


def test_the_first_version_needs_everything(offices: Offices) -> None:
    arguments = (Staged({}, {}), None, offices.online, offices.clock(), offices.policy)
    assert refusal(put_together, *arguments) == "list_draft_refused"


def test_a_clock_before_the_current_version(offices: Offices) -> None:
    draft = repeal_agreement(offices.draft(), "hk-gd", offices.clock())
    past = offices.published.snapshot.issued - timedelta(days=1)
    assert refusal(stage, draft, offices.roster, offices.published, past, offices.policy) == "list_draft_refused"


def test_timestamp_alone_then_with_the_snapshot(offices: Offices) -> None:
    first = refresh_timestamp(offices.published, offices.online, offices.clock(), offices.policy)
    assert first.snapshot.sha256 == offices.published.snapshot.sha256
    assert first.snapshot.fresh_until >= offices.published.snapshot.fresh_until
    later = offices.clock.forward(days=25)
    renewed = refresh_timestamp(
        reopen(first.bundle, offices.root, later), offices.online, later, offices.policy, log=offices.notary
    )
    assert renewed.snapshot.version == 2
    assert renewed.snapshot.services == first.snapshot.services


def test_metadata_that_is_none() -> None:
    signer = generate_key()
    assert refusal(add_signature, b"{}", signer) == "list_malformed"
    assert refusal(signed_by, b"nonsense") == "list_malformed"
    assert refusal(role_version, b"[]") == "list_malformed"


def test_role_version_wants_targets(offices: Offices) -> None:
    assert refusal(role_version, offices.root) == "list_malformed"
    assert Metadata.from_bytes(offices.root).signed.version == 1


def test_policies_refuse_nonsense() -> None:
    for bad in (
        {"timestamp_lifetime": timedelta(0)},
        {"timestamp_lifetime": timedelta(days=90)},
        {"list_lifetime": timedelta(days=300)},
    ):
        with pytest.raises(ValueError, match=r"lifetimes|six months"):
            PublicationPolicy(**bad)


# --- drafting ----------------------------------------------------------------------------------------------------------


def test_a_service_is_listed_and_put_up_for_admission(offices: Offices) -> None:
    published = offices.publish(add_service(offices.draft(), new_service(certificate_types=()), offices.clock()))
    service = published.snapshot.service("hk-two")
    assert service.provider == "HK Post"
    assert service.granted_at(offices.clock())


def test_what_drafting_refuses(offices: Offices) -> None:
    draft, at = offices.draft(), offices.clock()
    hk = authority("HK CA", "rsa").certificate
    for attempt in (
        lambda: add_provider(draft, HK, "HK Post", "https://example.test/"),
        lambda: add_service(draft, new_service(id="hk-rsa"), at),
        lambda: add_service(draft, new_service(certificate=hk), at),
        lambda: add_service(draft, new_service(provider="Nobody"), at),
        lambda: add_service(
            draft, new_service(certificate_types=(CertificateType("x", HK_PREFIX, ("moon",), at),)), at
        ),
        lambda: set_status(draft, "hk-rsa", ServiceStatus.GRANTED, at),
        lambda: set_status(draft, "nobody", ServiceStatus.GRANTED, at),
        lambda: end_admission(draft, "nobody", at),
        lambda: end_admission(end_admission(draft, "hk-rsa", at), "hk-rsa", at),
        lambda: enact_agreement(draft, "hk-gd", (HK, GD), ("mainland",), "", at),
        lambda: enact_agreement(draft, "hk-gd", (HK, GD), ("hk_government", "hk_private", "mainland"), "", at),
        lambda: enact_agreement(draft, "new", (HK, HK), ("mainland",), "", at),
        lambda: enact_agreement(draft, "new", (HK, MO), ("moon",), "", at),
        lambda: repeal_agreement(draft, "nothing", at),
        lambda: repeal_agreement(repeal_agreement(draft, "hk-gd", at), "hk-gd", at),
    ):
        assert refusal(attempt) == "list_draft_refused"


# --- diff --------------------------------------------------------------------------------------------------------------


def test_differences_name_every_change(offices: Offices) -> None:
    draft, at = offices.draft(), offices.clock()
    assert diff(draft, draft) == ()
    changed = add_service(set_status(draft, "hk-rsa", ServiceStatus.WITHDRAWN, at), new_service(), at)
    changed = repeal_agreement(changed, "hk-gd", at)
    subjects = {(change.part, change.subject) for change in diff(draft, changed)}
    assert subjects == {("scheme", "hk-gd"), ("scheme", "hk-two"), ("hk", "hk-rsa"), ("hk", "hk-two")}
    assert len(diff(None, draft)) == 1 + 2 + 5 + 3 + 5


def test_differences_shout_at_what_may_not_be(offices: Offices) -> None:
    draft = offices.draft()
    removed = offices.sections(draft, HK, lambda s: None if s.id == "hk-rsa" else s)
    rewritten = offices.sections(
        draft, GD, lambda s: replace(s, periods=(replace(s.periods[0], starting_time=START),), key_sha256="0" * 64)
    )
    scheme = replace(draft.scheme, admissions=draft.scheme.admissions[1:], agreements=draft.scheme.agreements[1:])
    texts = [change.text for new in (removed, rewritten, replace(draft, scheme=scheme)) for change in diff(draft, new)]
    for word in ("service REMOVED", "HISTORY CHANGED", "KEY CHANGED", "admission REMOVED", "agreement REMOVED"):
        assert any(word in text for text in texts), word


@pytest.mark.parametrize("part", ["operator_names", "providers", "names", "scheme"])
def test_no_difference_goes_unnamed(offices: Offices, part: str) -> None:
    draft = offices.draft()
    section = draft.sections[HK]
    other = (replace(section.operator_names[0], value="another"),)
    if part == "scheme":
        new = replace(draft, scheme=replace(draft.scheme, names=other))
    elif part == "operator_names":
        new = draft.with_section(replace(section, operator_names=other))
    elif part == "names":
        new = offices.sections(draft, HK, lambda s: replace(s, names=other) if s.id == "hk-rsa" else s)
    else:
        new = draft.with_section(replace(section, providers=(replace(section.providers[0], names=other),)))
    assert len(diff(draft, new)) == 1


# --- lint --------------------------------------------------------------------------------------------------------------


def codes(offices: Offices, draft: object, roster: Roster | None = None, **at: float) -> set[str]:
    when = offices.clock.forward(**at) if at else offices.clock()
    published = offices.draft()
    return {finding.code for finding in lint(published, draft, roster or offices.roster, when)}


def test_a_good_draft_has_no_errors(offices: Offices) -> None:
    findings = lint(offices.draft(), offices.draft(), offices.roster, offices.clock())
    assert errors_of(findings) == ()
    assert {finding.code for finding in findings} == {"no_revocation_source"}
    assert errors_of(lint(None, founding_draft(START), offices.roster, START)) == ()


def test_findings_about_content(offices: Offices) -> None:
    draft, at = offices.draft(), offices.clock()
    weak = make_certificate("weak", key := new_key("rsa1024"), "weak", key, ca=True)
    leaf = make_certificate("leaf", new_key("p256"), "leaf", new_key("p256"))
    future = at + timedelta(days=1)
    short = CertificateType("short", "1.2.3", (), at)
    for bad, expected in (
        (add_service(draft, new_service(certificate=weak), at), "algorithm_refused"),
        (add_service(draft, new_service(certificate=leaf), at), "not_a_ca"),
        (add_service(draft, new_service(certificate_types=()), at), "no_certificate_type"),
        (add_service(draft, new_service(certificate_types=(short,)), at), "policy_prefix_too_short"),
        (add_service(draft, new_service(certificate_types=(short,)), at), "no_purpose"),
        (add_service(draft, new_service(), future), "starts_in_future"),
        (set_status(draft, "hk-rsa", ServiceStatus.WITHDRAWN, future), "starts_in_future"),
        (repeal_agreement(draft, "hk-gd", draft.scheme.issued - timedelta(days=1)), "list_status_backdated"),
        (add_provider(draft, HK, "Empty", "https://example.test/"), "empty_provider"),
        (offices.sections(draft, HK, lambda _: None), "list_history_rewritten"),
        (offices.sections(draft, HK, lambda _: None), "orphan_admission"),
        (replace(draft, scheme=replace(draft.scheme, admissions=())), "not_admitted"),
    ):
        assert expected in codes(offices, bad), expected


def test_findings_about_time(offices: Offices) -> None:
    assert "certificate_expires_soon" in codes(offices, offices.draft(), days=3650 - 30)
    assert "certificate_expired" in codes(offices, offices.draft(), days=60)


def test_findings_about_the_roster(offices: Offices) -> None:
    first = offices.roster.officers[0]
    twice = Roster((*offices.roster.officers, replace(first, region=MO, name="again")), offices.roster.online)
    assert "key_reuse" in codes(offices, offices.draft(), twice)
    greedy = Roster(offices.roster.officers, offices.roster.online, {HK: 2})
    assert "threshold_unreachable" in codes(offices, offices.draft(), greedy)
