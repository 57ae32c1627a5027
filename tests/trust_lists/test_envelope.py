"""What we rely on in python-tuf's private module, pinned: an update that changes it must be noticed here first."""

import inspect
from dataclasses import replace
from datetime import timedelta
from importlib.metadata import version

import pytest
from tuf.api.exceptions import EqualVersionNumberError, ExpiredMetadataError
from tuf.api.metadata import Key, Metadata, Root
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from tests.support.trust_lists import Offices
from trust_lists.acceptance import accept_again
from trust_lists.envelope import REGION_FIELD, last_valid_moment, verify_envelope


@pytest.fixture(scope="module")
def offices() -> Offices:
    return Offices()


def test_the_pinned_version() -> None:
    assert version("tuf").split(".")[0] == "7"


def test_the_shape_of_the_trusted_set() -> None:
    assert list(inspect.signature(TrustedMetadataSet.__init__).parameters) == ["self", "root_data", "envelope_type"]
    assert list(inspect.signature(TrustedMetadataSet.update_snapshot).parameters) == ["self", "data", "trusted"]
    assert list(inspect.signature(TrustedMetadataSet.update_delegated_targets).parameters) == [
        "self", "data", "role_name", "delegator_name",
    ]  # fmt: skip


def test_the_reference_time_decides_about_expiry(offices: Offices) -> None:
    """The real clock plays no part: long after, the bundle verifies at its own time; at its own time, not long after."""
    bundle = offices.published.bundle
    for at, good in ((offices.clock(), True), (offices.clock.now + timedelta(days=9), False)):
        trusted = TrustedMetadataSet(offices.root, EnvelopeType.METADATA)
        trusted.reference_time = at
        if good:
            trusted.update_timestamp(bundle.timestamp)
        else:
            with pytest.raises(ExpiredMetadataError):
                trusted.update_timestamp(bundle.timestamp)


def test_an_expired_floor_still_protects(offices: Offices) -> None:
    trusted = TrustedMetadataSet(offices.root, EnvelopeType.METADATA)
    trusted.reference_time = offices.clock.now + timedelta(days=9)
    with pytest.raises(ExpiredMetadataError):
        trusted.update_timestamp(offices.published.bundle.timestamp)
    assert trusted.timestamp.version == 1
    with pytest.raises(EqualVersionNumberError):
        trusted.update_timestamp(offices.published.bundle.timestamp)


def test_members_that_python_tuf_does_not_know_survive(offices: Offices) -> None:
    root = Metadata[Root].from_bytes(offices.root).signed
    regions = {key.unrecognized_fields.get(REGION_FIELD) for key in root.keys.values() if isinstance(key, Key)}
    assert regions == {"hk", "mo", "gd", None}


def test_what_a_verified_envelope_says(offices: Offices) -> None:
    held = offices.published
    verified = verify_envelope(held.bundle, offices.root, None, offices.clock())
    assert verified.version == 1
    assert verified.fresh_until < verified.next_update
    assert verified.accepted.root == offices.root


def test_a_copy_is_judged_at_its_last_valid_moment(offices: Offices) -> None:
    held = offices.published
    now = offices.clock()
    assert last_valid_moment(held.bundle, offices.root, now) == now
    later = now + timedelta(days=400)
    moment = last_valid_moment(held.bundle, offices.root, later)
    assert now < moment < held.snapshot.fresh_until
    snapshot = accept_again(held.bundle, offices.root, later)
    assert (snapshot.sha256, snapshot.accepted_at) == (held.snapshot.sha256, moment)
    assert replace(held, snapshot=snapshot).snapshot.version == 1
