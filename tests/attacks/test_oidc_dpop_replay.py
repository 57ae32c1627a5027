"""DPoP proofs used again: for the same request, another request, another token, another time, another key."""

from datetime import timedelta

import pytest

from idp.config import IdpConfig
from idp.errors import InvalidDpopProof
from idp.proof.dpop import DpopProof, verify_proof
from tests.support.dpop import DpopKey
from tests.support.idp import AT, ISSUER

CONFIG = IdpConfig(issuer=ISSUER)
HOLDER, THIEF = DpopKey(), DpopKey()


def enter(proof: str, *, method: str = "POST", path: str = "/token", **more: object) -> DpopProof:
    return verify_proof([proof], **{"method": method, "url": f"{ISSUER}{path}", "at": AT, "config": CONFIG, **more})


def test_same_proof_is_the_same_use_and_is_kept_until_it_is_too_old() -> None:
    proof = HOLDER.proof("POST", f"{ISSUER}/token", at=AT)
    first, again = enter(proof), enter(proof, at=AT + timedelta(seconds=60))
    assert first.use == again.use
    with pytest.raises(InvalidDpopProof):
        enter(proof, at=first.use.expires_at + timedelta(seconds=1))


def test_identifiers_are_kept_apart_by_key() -> None:
    """A thief cannot burn the holder's `jti`, nor hide behind it."""
    uses = {enter(key.proof("POST", f"{ISSUER}/token", at=AT, jti="same")).use for key in (HOLDER, THIEF)}
    assert len({(use.space, use.identifier) for use in uses}) == 2


def test_client_assertion_and_proof_do_not_share_a_space() -> None:
    use = enter(HOLDER.proof("POST", f"{ISSUER}/token", at=AT, jti="j")).use
    assert use.space.startswith("dpop:"), "no client_id holds a colon"


def test_proof_for_another_endpoint_or_method() -> None:
    proof = HOLDER.proof("POST", f"{ISSUER}/par", at=AT)
    assert enter(proof, path="/par")
    for changes in ({"path": "/token"}, {"path": "/par/"}, {"path": "/par", "method": "GET"}, {"path": "/PAR"}):
        with pytest.raises(InvalidDpopProof):
            enter(proof, **changes)


def test_proof_of_the_token_endpoint_does_not_serve_a_resource() -> None:
    proof = HOLDER.proof("POST", f"{ISSUER}/userinfo", at=AT)
    with pytest.raises(InvalidDpopProof):
        enter(proof, path="/userinfo", access_token="stolen")


def test_proof_with_another_token() -> None:
    proof = HOLDER.proof("GET", f"{ISSUER}/userinfo", at=AT, access_token="mine")
    assert enter(proof, path="/userinfo", method="GET", access_token="mine")
    with pytest.raises(InvalidDpopProof):
        enter(proof, path="/userinfo", method="GET", access_token="stolen")


@pytest.mark.parametrize("seconds", [-3600, -61, 16, 60, 3600])
def test_proof_made_for_later_or_kept_from_earlier(seconds: int) -> None:
    with pytest.raises(InvalidDpopProof):
        enter(HOLDER.proof("POST", f"{ISSUER}/token", at=AT + timedelta(seconds=seconds)))


@pytest.mark.parametrize("seconds", [-10, 10])
def test_clocks_ten_seconds_apart_are_taken(seconds: int) -> None:
    assert enter(HOLDER.proof("POST", f"{ISSUER}/token", at=AT + timedelta(seconds=seconds)))


def test_two_proofs_let_nobody_choose() -> None:
    proofs = [key.proof("POST", f"{ISSUER}/token", at=AT) for key in (HOLDER, THIEF)]
    for sent in (proofs, [", ".join(proofs)], [*proofs, ""]):
        with pytest.raises(InvalidDpopProof):
            verify_proof(sent, method="POST", url=f"{ISSUER}/token", at=AT, config=CONFIG)
