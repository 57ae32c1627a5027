"""Attacks on the transparency log: a list that only some are shown, a log that forgets, witnesses that were not there."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata, Root

from sandbox.operators import Operators
from sandbox.operators_scheme import founding_draft
from tests.support.trust_lists import Offices, Ticker, drafts, operators, refusal
from trust_lists.acceptance import accept
from trust_lists.bundle import ListBundle, metadata_name
from trust_lists.client import TrustListClient
from trust_lists.drafting import repeal_agreement
from trust_lists.equivocation import parse_evidence, verify_evidence
from trust_lists.errors import ListEquivocation
from trust_lists.list_log import ListLog, Notary, add_line, log_keys, open_checkpoint, witness
from trust_lists.publication import (
    Published,
    allowed_signers,
    put_together,
    reopen,
    roles_touched,
    sign_role,
    stage,
    stage_root,
)
from trust_lists.repository import Roster
from trust_lists.signers import generate_key
from trust_lists.store import write_atomically, write_bundle
from trust_lists.transparency import ROOT_FIELD, parse_proof, write_proof
from trust_lists.vocabulary import Region

HK, MO, GD = Region


@pytest.fixture
def offices() -> Offices:
    return Offices()


def next_bundle(offices: Offices, agreement: str = "hk-gd", **more: object) -> ListBundle:
    return offices.bundle(offices.staged(repeal_agreement(offices.draft(), agreement, offices.clock())), **more)


def with_note(bundle: ListBundle, note: bytes) -> ListBundle:
    return replace(bundle, proof=write_proof(replace(parse_proof(bundle.proof), note=note)))


def test_list_that_is_not_in_the_log(offices: Offices) -> None:
    """Two regions and the online key make a list for one victim, and log it nowhere."""
    bundle = next_bundle(offices, log=None)
    assert refusal(offices.accept, bundle, offices.published) == "list_not_logged"
    borrowed = replace(bundle, proof=offices.published.bundle.proof)
    assert refusal(offices.accept, borrowed, offices.published) == "list_not_logged"
    assert refusal(offices.accept, replace(bundle, proof=b"nonsense")) == "list_malformed"


def test_proof_of_another_list(offices: Offices) -> None:
    one, two = next_bundle(offices), next_bundle(offices, "gd-mo")
    assert refusal(offices.accept, replace(one, proof=two.proof)) == "list_not_logged"
    parsed = parse_proof(one.proof)
    assert refusal(offices.accept, replace(one, proof=write_proof(replace(parsed, index=0)))) == "list_not_logged"


@pytest.mark.parametrize("kept", [(), ("hk",), ("mo",)])
def test_checkpoint_with_too_few_witnesses(offices: Offices, kept: tuple[str, ...]) -> None:
    bundle = next_bundle(offices)
    text, _, rest = parse_proof(bundle.proof).note.decode().rpartition("\n\n")
    log_line, *lines = rest.split("\n")[:-1]
    lines = [line for line in lines if line.split(" ")[1].rpartition("/")[2] in kept]
    note = f"{text}\n\n{log_line}\n{''.join(line + chr(10) for line in lines)}".encode()
    assert refusal(offices.accept, with_note(bundle, note)) == "list_not_witnessed"


def test_forged_witnesses(offices: Offices) -> None:
    """Somebody co-signs in the names of Macao and Guangdong with keys of his own, or copies their lines from elsewhere."""
    bundle = next_bundle(offices)
    note = parse_proof(bundle.proof).note
    forger = {region: generate_key() for region in Region}
    keys = log_keys(offices.notary._log_signer, forger)
    log = ListLog((b"gba-trust/list-snapshot/v1\n2\n" + b"0" * 64 + b"\n",))
    forged = open_checkpoint(log, keys, offices.notary._log_signer)
    for signer in forger.values():
        forged = witness(log, keys, forged, None, signer, offices.clock())
    assert refusal(offices.accept, with_note(bundle, forged)) == "list_not_witnessed"
    old = parse_proof(offices.published.bundle.proof).note
    for line in old.decode().rpartition("\n\n")[2].split("\n")[1:-1]:
        note = add_line(note, line)
    assert refusal(offices.accept, with_note(bundle, note)) == "list_not_witnessed"


def test_checkpoint_of_another_log(offices: Offices) -> None:
    bundle = next_bundle(offices)
    log_signer, witnesses = generate_key(), offices.notary._witnesses
    other = Notary(log_keys(log_signer, witnesses), log_signer, witnesses)
    foreign = next_bundle(offices, log=other)
    assert refusal(offices.accept, replace(bundle, proof=foreign.proof)) == "list_not_witnessed"
    assert refusal(offices.accept, foreign) == "list_not_witnessed"


def _grown(offices: Offices, log: Notary, *agreements: str) -> Published:
    """Two versions after another, logged in this log."""
    published = offices.published
    try:
        for name in agreements:
            bundle = next_bundle(offices, name, log=log)
            offices.published = Published(bundle, offices.root, offices.accept(bundle, offices.published))
        return offices.published
    finally:
        offices.published = published


def test_log_forked_for_one_reader(offices: Offices) -> None:
    """Equivocation with all keys but with versions that never meet: only the log shows it."""
    victim = _grown(offices, offices.notary.fork(), "hk-gd")
    others = _grown(offices, offices.notary.fork(), "gd-mo", "hk-gd")
    assert others.snapshot.version > victim.snapshot.version
    # Seen by TUF alone the victim's next version is fine but for the scheme's sequence numbers; the log is what refuses it.
    assert refusal(offices.accept, others.bundle, victim) == "list_log_inconsistent"


def test_log_cut_short(offices: Offices) -> None:
    """The log is begun anew, so that an entry is forgotten."""
    victim = _grown(offices, offices.notary.fork(), "hk-gd", "gd-mo")
    fresh = Notary(offices.notary.keys, offices.notary._log_signer, offices.notary._witnesses)
    offices.published = victim
    bundle = offices.bundle(log=fresh)
    assert refusal(offices.accept, bundle, victim) == "list_log_inconsistent"


def test_source_that_hides_the_logs_growth(offices: Offices) -> None:
    bundle = next_bundle(offices)
    assert refusal(offices.accept, replace(bundle, tiles={}), offices.published) == "list_log_inconsistent"
    torn = {name: tile[:-1] for name, tile in bundle.tiles.items()}
    assert refusal(offices.accept, replace(bundle, tiles=torn), offices.published) == "list_log_inconsistent"
    flipped = {name: tile[:-1] + bytes([tile[-1] ^ 1]) for name, tile in bundle.tiles.items()}
    assert refusal(offices.accept, replace(bundle, tiles=flipped), offices.published) == "list_log_inconsistent"
    assert offices.accept(bundle, offices.published).version == 2


def test_root_that_drops_the_log(offices: Offices) -> None:
    """Two regions agree to be unobserved: no reader follows them."""
    root = stage_root(replace(offices.roster, log=None), offices.root, offices.clock(), offices.policy)
    bundle = replace(offices.published.bundle, roots=(offices.sign_root(root, (HK, MO)),))
    assert refusal(offices.accept, bundle, offices.published) == "list_not_logged"


def test_root_that_names_one_witness_or_one_key_twice(offices: Offices) -> None:
    staged = Metadata[Root].from_bytes(stage_root(offices.roster, offices.root, offices.clock(), offices.policy))
    named = staged.signed.unrecognized_fields[ROOT_FIELD]
    for witnesses in (
        {"hk": named["witnesses"]["hk"]},
        {"hk": named["witnesses"]["hk"], "mo": named["witnesses"]["hk"]},
    ):
        staged.signed.unrecognized_fields[ROOT_FIELD] = {**named, "witnesses": witnesses}
        root = offices.resign(staged.to_bytes(), offices.signers[HK], offices.signers[GD])
        bundle = replace(offices.published.bundle, roots=(root,))
        assert refusal(offices.accept, bundle) == "list_malformed"


def test_witness_does_not_sign_what_it_should_not(offices: Offices) -> None:
    notary = offices.notary
    hk, at, keys = notary._witnesses[HK], offices.clock(), notary.keys
    seen = notary.note
    grown = notary.log.with_entry(b"gba-trust/list-snapshot/v1\n2\n" + b"a" * 64 + b"\n")
    note = open_checkpoint(grown, keys, notary._log_signer)
    assert refusal(witness, grown, keys, note, seen, generate_key(), at) == "key_refused"
    assert refusal(witness, notary.log, keys, note, seen, hk, at) == "list_not_witnessed"
    unsigned = note.replace(b"\n2\n", b"\n2\n", 1).partition(b"\n\n")[0] + b"\n\n\xe2\x80\x94 nobody AAAAAAAA\n"
    assert refusal(witness, grown, keys, unsigned, seen, hk, at) == "list_not_witnessed"
    forked = ListLog(tuple(entry.replace(b"\n1\n", b"\n7\n") for entry in grown.entries))
    note = open_checkpoint(forked, keys, notary._log_signer)
    assert refusal(witness, forked, keys, note, seen, hk, at) == "list_log_inconsistent"
    shorter = ListLog()
    note = open_checkpoint(shorter, keys, notary._log_signer)
    assert refusal(witness, shorter, keys, note, seen, hk, at) == "list_log_inconsistent"
    twice = grown.with_entry(b"gba-trust/list-snapshot/v1\n2\n" + b"b" * 64 + b"\n")
    note = open_checkpoint(twice, keys, notary._log_signer)
    assert refusal(witness, twice, keys, note, seen, hk, at) == "list_equivocation"
    assert refusal(open_checkpoint, grown, keys, hk) == "key_refused"


def test_the_log_names_a_version_once(offices: Offices) -> None:
    assert refusal(offices.notary.prove, 1, b"another list", offices.clock()) == "list_draft_refused"
    assert refusal(offices.notary.log.proof_of, 9, b"unheard of", offices.notary.note) == "list_not_logged"


# --- lists from before there was a log ---------------------------------------------------------------------------------


def without_log() -> Offices:
    """A list as the first releases published it: its root names no log."""
    offices = Offices()
    notary, offices.notary, roster = offices.notary, None, offices.roster
    offices.roster = replace(roster, log=None)
    root = stage_root(offices.roster, None, offices.clock(), offices.policy)
    offices.root = offices.sign_root(root, (HK, MO))
    old = replace(offices.published.bundle, proof=b"")
    offices.published = reopen(old, offices.root, offices.clock())
    offices.notary, offices.roster = notary, roster
    return offices


def test_old_repository_is_refused_by_readers_and_upgraded_by_its_publisher() -> None:
    offices = without_log()
    assert refusal(offices.accept, offices.published.bundle) == "list_not_logged"
    root = offices.sign_root(stage_root(offices.roster, offices.root, offices.clock(), offices.policy), (HK, GD))
    offices.notary = Notary(offices.notary.keys, offices.notary._log_signer, offices.notary._witnesses)
    bundle = replace(offices.bundle(), roots=(root,))
    snapshot = offices.accept(bundle)  # a reader that pinned the old root walks to the new one
    assert snapshot.envelope.logged.witnesses == (HK, MO, GD)
    assert snapshot.version == 2


async def test_sandbox_directory_without_a_log_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticker()
    with monkeypatch.context() as old:
        old.setattr("sandbox.operators.Roster", lambda officers, online, log: Roster(officers, online))
        published = _publish_without_log(Operators(tmp_path, clock))
    assert published.snapshot.envelope.logged is None
    again = Operators(tmp_path, clock)
    assert again.snapshot.envelope.logged is not None
    assert again.snapshot.version == published.snapshot.version + 1
    assert {service.id for service in again.snapshot.services} == {
        service.id for service in published.snapshot.services
    }
    reader = TrustListClient(again.repository, None, again.trusted_root(), clock)
    assert (await reader.refresh()).version == again.snapshot.version
    restarted = Operators(tmp_path, clock)
    assert restarted.set_status("hk-rsa", "withdrawn").version == again.snapshot.version + 1


def _publish_without_log(made: Operators) -> Published:
    at = made._clock()
    staged = stage(founding_draft(drafts(), at - timedelta(hours=1)), made._roster, None, at, made._policy)
    for role in roles_touched(staged):
        for region in (HK, GD) if role == "targets" else (Region(role),):
            staged = sign_role(staged, role, made._signers[region], allowed_signers(role, made._roster))
    bundle = put_together(staged, None, made._online, at, made._policy)
    write_atomically(made.repository / metadata_name("root", 1), made._root)
    write_bundle(made.repository, bundle)
    return Published(bundle, made._root, accept(bundle, made._root, None, at, without_log=True))


# --- evidence that a reader keeps --------------------------------------------------------------------------------------


async def test_reader_keeps_the_evidence(tmp_path: Path) -> None:
    """The source shows a reader two logs of one length: it refuses the second, and what it kept proves it to anybody."""
    clock = Ticker()
    made = operators(tmp_path / "operators", clock)
    twin = tmp_path / "twin"
    shutil.copytree(tmp_path / "operators", twin)
    reader = TrustListClient(made.repository, tmp_path / "cache", made.trusted_root(), clock)
    await reader.refresh()
    made.set_status("hk-rsa", "withdrawn")
    await reader.refresh()
    other = Operators(twin, clock)
    other.set_status("mo-p256", "withdrawn")
    lied_to = TrustListClient(other.repository, tmp_path / "cache", made.trusted_root(), clock)
    with pytest.raises(ListEquivocation):
        await lied_to.refresh()
    (kept,) = (tmp_path / "cache" / "evidence").iterdir()
    found = parse_evidence(kept.read_bytes())
    assert "two different lists as version 2" in verify_evidence(found).statement
    assert found.root == made.trusted_root()
