"""Attacks on the signed envelope of the list: who may make a version, and which version a reader may be given."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from tuf.api.metadata import Delegations, Metadata, Root, TargetFile, Targets

from tests.support.trust_lists import Offices, refusal
from trust_lists.config import PublicationPolicy
from trust_lists.drafting import end_admission, repeal_agreement, set_status
from trust_lists.model import ServiceStatus
from trust_lists.publication import Staged, _next_timestamp, stage, stage_root
from trust_lists.repository import Officer, add_signature
from trust_lists.signers import generate_key, public_key, public_pem
from trust_lists.vocabulary import Region

HK, MO, GD = Region


@pytest.fixture
def offices() -> Offices:
    return Offices()


def test_forged_list(offices: Offices) -> None:
    """Somebody with none of the keys makes a list of his own."""
    forger = Offices()
    assert refusal(offices.accept, forger.published.bundle) == "list_threshold_not_met"


def test_forged_online_key(offices: Offices) -> None:
    assert refusal(offices.accept, offices.bundle(online=generate_key())) == "list_threshold_not_met"


def test_rollback_to_an_older_version(offices: Offices) -> None:
    first = offices.published
    second = offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN)
    assert refusal(offices.accept, first.bundle, second) == "list_rollback"
    assert offices.accept(second.bundle, first).version == 2


def test_rollback_of_the_timestamp_alone(offices: Offices) -> None:
    first = offices.published
    second = offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN)
    assert refusal(offices.accept, replace(second.bundle, timestamp=first.bundle.timestamp), second) == "list_rollback"


def test_rollback_inside_a_new_version(offices: Offices) -> None:
    """The thief of the online key seals an old section of a region into a new version."""
    first = offices.published
    second = offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN)
    roles = {**second.bundle.roles, "hk": first.bundle.roles["hk"]}
    documents = {**second.bundle.documents, "hk/list.json": first.bundle.documents["hk/list.json"]}
    offices.published = replace(second, bundle=replace(second.bundle, roles=roles, documents=documents))
    assert refusal(offices.accept, offices.bundle(), second) == "list_rollback"


def test_freeze(offices: Offices) -> None:
    """The source goes on serving what was once good."""
    held = offices.published
    later = offices.clock.forward(hours=24, seconds=1)
    assert refusal(offices.accept, held.bundle, held, later) == "list_frozen"
    assert refusal(offices.accept, held.bundle, None, later) == "list_expired"


def test_expired_snapshot_under_a_fresh_timestamp(offices: Offices) -> None:
    """The online role vouches for a snapshot that ran out: expiry of every part counts."""
    short = PublicationPolicy(snapshot_lifetime=timedelta(hours=24), timestamp_lifetime=timedelta(hours=24))
    bundle = offices.bundle(policy=short)
    offices.published = replace(offices.published, bundle=bundle)
    offices.clock.forward(hours=25)
    timestamp = _next_timestamp(
        bundle.snapshot, 2, offices.published, offices.online, offices.clock(), PublicationPolicy()
    )
    assert refusal(offices.accept, replace(bundle, timestamp=timestamp)) == "list_expired"


def test_expired_root(offices: Offices) -> None:
    later = offices.clock.forward(days=366)
    assert refusal(offices.accept, offices.published.bundle, None, later) == "list_expired"


def test_expired_section_alone(offices: Offices) -> None:
    """Only one region has let its section lapse: the whole list waits for it, rather than losing a region silently."""
    at = offices.clock.forward(days=181)
    staged = offices.staged(offices.draft(), at=at)
    without_mo = replace(
        staged,
        metadata={role: data for role, data in staged.metadata.items() if role != "mo"},
        documents={path: data for path, data in staged.documents.items() if path != "mo/list.json"},
    )
    assert refusal(offices.accept, offices.bundle(without_mo, at=at), None, at) == "list_expired"


def test_fast_forward_is_healed_by_new_online_keys(offices: Offices) -> None:
    """The thief of the online key jumps to the highest version; a new root with new keys brings readers back."""
    held = offices.published
    far = Metadata.from_bytes(held.bundle.timestamp)
    far.signed.version = 2**31 - 2
    far.signed.snapshot_meta.version = held.snapshot.version
    poisoned = replace(held.bundle, timestamp=offices.resign(far.to_bytes(), offices.online))
    victim = replace(held, snapshot=offices.accept(poisoned, held), bundle=poisoned)
    second = offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN)
    assert refusal(offices.accept, second.bundle, victim) == "list_rollback"

    offices.online = generate_key()
    offices.roster = replace(offices.roster, online=public_key(public_pem(offices.online)))
    root = offices.sign_root(stage_root(offices.roster, offices.root, offices.clock(), offices.policy), (MO, GD))
    healed = replace(offices.bundle(), roots=(root,))
    snapshot = offices.accept(healed, victim)
    assert snapshot.service("hk-rsa").status is ServiceStatus.WITHDRAWN
    assert snapshot.envelope.root == root


def test_mix_of_old_and_new_regions(offices: Offices) -> None:
    first = offices.published
    second = offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN)
    for mixed in (
        replace(second.bundle, roles={**second.bundle.roles, "hk": first.bundle.roles["hk"]}),
        replace(
            second.bundle, documents={**second.bundle.documents, "hk/list.json": first.bundle.documents["hk/list.json"]}
        ),
        replace(second.bundle, snapshot=first.bundle.snapshot),
        replace(second.bundle, roles={**second.bundle.roles, "hk": second.bundle.roles["mo"]}),
    ):
        assert refusal(offices.accept, mixed) == "list_mixed"


def test_joint_part_signed_by_one_region(offices: Offices) -> None:
    draft = repeal_agreement(offices.draft(), "hk-gd", offices.clock())
    assert refusal(offices.accept, offices.bundle(offices.staged(draft, joint=(HK,)))) == "list_threshold_not_met"
    assert offices.accept(offices.bundle(offices.staged(draft, joint=(HK, MO)))).version == 2


def _with_second_officer(offices: Offices) -> None:
    second = generate_key()
    officer = Officer(HK, "second", public_key(public_pem(second), HK, "second"))
    offices.second = second
    offices.roster = replace(offices.roster, officers=(*offices.roster.officers, officer))
    root = stage_root(offices.roster, offices.root, offices.clock(), offices.policy)
    offices.new_root = offices.sign_root(root, (HK, GD))


def test_two_officers_of_one_region_are_not_two_regions(offices: Offices) -> None:
    """TUF counts keys; two keys of Hong Kong meet its threshold, and not ours."""
    _with_second_officer(offices)
    at = offices.clock()
    staged = offices.staged(repeal_agreement(offices.draft(), "hk-gd", at), joint=(HK,), at=at)
    targets = add_signature(staged.metadata["targets"], offices.second)
    alone = replace(staged, metadata={**staged.metadata, "targets": targets})
    bundle = replace(offices.bundle(alone), roots=(offices.new_root,))
    assert refusal(offices.accept, bundle) == "list_threshold_not_met"
    joined = replace(staged, metadata={**staged.metadata, "targets": add_signature(targets, offices.signers[MO])})
    assert offices.accept(replace(offices.bundle(joined), roots=(offices.new_root,))).version == 2


def test_root_signed_by_one_region(offices: Offices) -> None:
    root = stage_root(offices.roster, offices.root, offices.clock(), offices.policy)
    for regions in ((), (HK,)):
        bundle = replace(offices.published.bundle, roots=(offices.sign_root(root, regions),))
        assert refusal(offices.accept, bundle) == "list_threshold_not_met"


def test_root_that_forgets_the_old_signers(offices: Offices) -> None:
    """A new root must be signed by the officers that it replaces."""
    other = Offices()
    root = stage_root(other.roster, offices.root, offices.clock(), offices.policy)
    bundle = replace(offices.published.bundle, roots=(other.sign_root(root, (HK, MO)),))
    assert refusal(offices.accept, bundle) == "list_threshold_not_met"


def test_root_that_skips_a_version(offices: Offices) -> None:
    root = Metadata[Root].from_bytes(stage_root(offices.roster, offices.root, offices.clock(), offices.policy))
    root.signed.version = 3
    bundle = replace(offices.published.bundle, roots=(offices.resign(root.to_bytes(), *offices.signers.values()),))
    assert refusal(offices.accept, bundle) == "list_mixed"


def test_older_root_than_accepted(offices: Offices) -> None:
    root = offices.sign_root(stage_root(offices.roster, offices.root, offices.clock(), offices.policy), (HK, MO))
    held = replace(offices.published, snapshot=offices.accept(replace(offices.published.bundle, roots=(root,))))
    assert refusal(offices.accept, offices.published.bundle, held) == "list_rollback"


def test_one_regions_key_stolen(offices: Offices) -> None:
    """The thief can hurt Hong Kong's own section, and nothing else; the two others end the admission without it."""
    thief = offices.signers[HK]
    held = offices.published
    bundle = offices.set_status("mo-p256", ServiceStatus.WITHDRAWN).bundle
    foreign = replace(bundle, roles={**bundle.roles, "mo": offices.resign(bundle.roles["mo"], thief)})
    assert refusal(offices.accept, foreign, held) == "list_mixed"
    offices.published = replace(offices.published, bundle=foreign)
    assert refusal(offices.accept, offices.bundle(), held) == "list_threshold_not_met"

    offices.published = held
    ended = offices.staged(end_admission(offices.draft(), "hk-rsa", offices.clock()), joint=(MO, GD))
    snapshot = offices.accept(offices.bundle(ended), held)
    assert not snapshot.service("hk-rsa").granted_at(offices.clock())
    assert snapshot.service("hk-rsa").granted_at(held.snapshot.issued)


def test_one_region_silent(offices: Offices) -> None:
    """Macao signs nothing for months: the two others go on."""
    offices.set_status("hk-rsa", ServiceStatus.SUSPENDED)
    draft = repeal_agreement(offices.draft(), "hk-gd", offices.clock())
    assert offices.accept(offices.bundle(offices.staged(draft, joint=(HK, GD)))).version == 3


def test_delegation_to_a_foreign_key(offices: Offices) -> None:
    """Two regions together give the third one's section to themselves: the gate does not let a region sign for another."""
    officers = tuple(
        replace(officer, region=MO) if officer.region is HK else officer for officer in offices.roster.officers
    )
    stranger = Officer(HK, "x", public_key(public_pem(generate_key()), HK, "x"))
    offices.roster = replace(offices.roster, officers=(*officers, stranger))
    draft = repeal_agreement(offices.draft(), "hk-gd", offices.clock())
    staged = stage(draft, offices.roster, offices.published, offices.clock(), offices.policy)
    targets = offices.resign(staged.metadata["targets"], offices.signers[HK], offices.signers[GD])
    joint = Staged({"targets": targets}, {"scheme.json": staged.documents["scheme.json"]})
    assert refusal(offices.accept, offices.bundle(joint)) == "list_region_overreach"


def test_equivocation_to_two_readers(offices: Offices) -> None:
    """The same version number with other content: a reader that has one refuses the other."""
    held = offices.published
    one = offices.bundle(offices.staged(repeal_agreement(offices.draft(), "hk-gd", offices.clock())))
    two = offices.bundle(offices.staged(repeal_agreement(offices.draft(), "gd-mo", offices.clock())))
    victim = replace(held, snapshot=offices.accept(one, held))
    assert refusal(offices.accept, two, victim) == "list_equivocation"


def test_equivocation_under_a_new_timestamp(offices: Offices) -> None:
    held = offices.published
    one = offices.bundle(offices.staged(repeal_agreement(offices.draft(), "hk-gd", offices.clock())))
    two = offices.bundle(offices.staged(repeal_agreement(offices.draft(), "gd-mo", offices.clock())))
    victim = replace(held, snapshot=offices.accept(one, held))
    stamp = Metadata.from_bytes(two.timestamp)
    stamp.signed.version += 1
    forged = replace(two, timestamp=offices.resign(stamp.to_bytes(), offices.online))
    assert refusal(offices.accept, forged, victim) == "list_equivocation"


def test_algorithm_downgrade(offices: Offices) -> None:
    """A signature is judged by the key that the delegator names; what the file says of algorithms does not matter."""
    stamp = Metadata.from_bytes(offices.published.bundle.timestamp)
    (signature,) = stamp.signatures.values()
    signature.unrecognized_fields["method"] = "none"
    signature.signature = ""
    assert (
        refusal(offices.accept, replace(offices.published.bundle, timestamp=stamp.to_bytes()))
        == "list_threshold_not_met"
    )


def test_signatures_of_unknown_keys_count_nothing(offices: Offices) -> None:
    draft = repeal_agreement(offices.draft(), "hk-gd", offices.clock())
    staged = offices.staged(draft, joint=(HK,))
    data = staged.metadata["targets"]
    for _ in range(3):
        data = add_signature(data, generate_key())
    stuffed = replace(staged, metadata={**staged.metadata, "targets": data})
    assert refusal(offices.accept, offices.bundle(stuffed)) == "list_threshold_not_met"


def test_one_key_under_two_names(offices: Offices) -> None:
    """A root in which one key is listed for two regions lets its owner sign for neither."""
    root = Metadata[Root].from_bytes(stage_root(offices.roster, offices.root, offices.clock(), offices.policy))
    hk = next(key for key in root.signed.keys.values() if key.unrecognized_fields.get("x-gba-region") == "hk")
    twin = public_key(public_pem(offices.signers[HK]), MO, "twin")
    twin.keyid = "0" * 64
    root.signed.add_key(twin, "root")
    root.signed.add_key(twin, "targets")
    data = offices.resign(root.to_bytes(), offices.signers[HK])
    parsed = Metadata.from_bytes(data)
    again = type(parsed.signatures[hk.keyid])(twin.keyid, parsed.signatures[hk.keyid].signature)
    parsed.signatures[twin.keyid] = again
    bundle = replace(offices.published.bundle, roots=(parsed.to_bytes(),))
    assert refusal(offices.accept, bundle) == "list_threshold_not_met"


def test_clock_set_back(offices: Offices) -> None:
    held = offices.published
    past = offices.clock.now - timedelta(hours=1)
    assert refusal(offices.accept, held.bundle, held, past) == "list_clock"
    assert refusal(offices.accept, held.bundle, None, past) == "list_clock"


def test_the_same_version_again_is_welcome(offices: Offices) -> None:
    held = offices.published
    again = offices.accept(held.bundle, held)
    assert (again.version, again.sha256) == (held.snapshot.version, held.snapshot.sha256)


def _targets_edited(offices: Offices, edit: Callable[[Targets], None]) -> str:
    """The code by which the gate refuses joint targets that two regions have signed after somebody edited them."""
    staged = offices.staged(repeal_agreement(offices.draft(), "hk-gd", offices.clock()))
    parsed = Metadata[Targets].from_bytes(staged.metadata["targets"])
    edit(parsed.signed)
    data = offices.resign(parsed.to_bytes(), offices.signers[HK], offices.signers[GD])
    return refusal(offices.accept, offices.bundle(replace(staged, metadata={"targets": data})))


def _widen_path(targets: Targets) -> None:
    targets.delegations.roles["hk"].paths = ["hk/*", "mo/*"]


def _drop_region(targets: Targets) -> None:
    del targets.delegations.roles["mo"]


def _not_terminating(targets: Targets) -> None:
    targets.delegations.roles["hk"].terminating = False


def _one_key_twice(targets: Targets) -> None:
    role = targets.delegations.roles["hk"]
    (keyid,) = role.keyids
    twin = type(targets.delegations.keys[keyid]).from_dict("1" * 64, targets.delegations.keys[keyid].to_dict())
    targets.delegations.keys[twin.keyid] = twin
    role.keyids.append(twin.keyid)
    role.threshold = 2


def _more_documents(targets: Targets) -> None:
    targets.targets["hk/list.json"] = TargetFile.from_data("hk/list.json", b"x", ["sha256"])


@pytest.mark.parametrize("edit", [_widen_path, _drop_region, _not_terminating, _one_key_twice, _more_documents])
def test_joint_part_that_bends_the_delegations(offices: Offices, edit: Callable[[Targets], None]) -> None:
    assert _targets_edited(offices, edit) == "list_region_overreach"


def test_scheme_named_by_a_weak_hash_alone(offices: Offices) -> None:
    scheme = offices.published.bundle.documents["scheme.json"]

    def weaken(targets: Targets) -> None:
        targets.targets["scheme.json"] = TargetFile.from_data("scheme.json", scheme, ["md5"])

    assert _targets_edited(offices, weaken) == "list_malformed"


def test_section_that_delegates_further(offices: Offices) -> None:
    """A region may not hand its section on to keys that the scheme has not seen."""
    staged = offices.staged(set_status(offices.draft(), "hk-rsa", ServiceStatus.WITHDRAWN, offices.clock()))
    parsed = Metadata[Targets].from_bytes(staged.metadata["hk"])
    parsed.signed.delegations = Delegations({}, {})
    data = offices.resign(parsed.to_bytes(), offices.signers[HK])
    assert refusal(offices.accept, offices.bundle(replace(staged, metadata={"hk": data}))) == "list_region_overreach"


def test_section_that_names_another_regions_document(offices: Offices) -> None:
    staged = offices.staged(set_status(offices.draft(), "hk-rsa", ServiceStatus.WITHDRAWN, offices.clock()))
    parsed = Metadata[Targets].from_bytes(staged.metadata["hk"])
    parsed.signed.targets["mo/list.json"] = TargetFile.from_data("mo/list.json", b"x", ["sha256"])
    data = offices.resign(parsed.to_bytes(), offices.signers[HK])
    assert refusal(offices.accept, offices.bundle(replace(staged, metadata={"hk": data}))) == "list_region_overreach"
