"""One signed object presented as another: an assertion as a request object, a proof as an assertion, our own tokens as anything."""

import pytest

from idp.errors import IdpRefused
from tests.support.dpop import signed
from tests.support.idp import ISSUER
from tests.support.signed_objects import ASSERTION, DOORS, EC, NOW, PROOF, REQUEST_OBJECT, Door


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
@pytest.mark.parametrize("other", DOORS, ids=lambda door: door.name)
def test_no_good_object_of_one_door_opens_another(door: Door, other: Door) -> None:
    if door is other:
        assert door.enter(door.good())
        return
    with pytest.raises(IdpRefused):
        door.enter(other.good())


def test_client_assertion_as_request_object() -> None:
    """RFC 9101 cl. 10.8: an assertion with everything that a request object needs, and the typ that both may have."""
    both = {**ASSERTION.claims, "client_id": "bank", "nbf": NOW, "scope": "openid", "response_type": "code"}
    for header in ({"alg": "ES256", "kid": "ec", "typ": "JWT"}, {"alg": "ES256", "kid": "ec"}):
        with pytest.raises(REQUEST_OBJECT.refusal):
            REQUEST_OBJECT.enter(signed(EC, header, both))


def test_request_object_as_client_assertion() -> None:
    """A relying party's request object travels through browsers; it must not authenticate whoever picks it up."""
    with pytest.raises(ASSERTION.refusal):
        ASSERTION.enter(REQUEST_OBJECT.good())
    with pytest.raises(ASSERTION.refusal):
        ASSERTION.enter(signed(EC, {**ASSERTION.header, "typ": "oauth-authz-req+jwt"}, ASSERTION.claims))
    with pytest.raises(ASSERTION.refusal):  # with a jti it lacks only the subject
        ASSERTION.enter(signed(EC, ASSERTION.header, {**REQUEST_OBJECT.claims, "jti": "j"}))


@pytest.mark.parametrize(
    "typ", ["at+jwt", "application/at+jwt", "logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt"]
)
def test_types_that_belong_to_others(typ: str) -> None:
    for door in DOORS:
        if door is PROOF and typ == "dpop+jwt":
            continue
        with pytest.raises(door.refusal):
            door.enter(signed(EC, {**door.header, "typ": typ}, door.claims))


@pytest.mark.parametrize(
    "audience",
    [f"{ISSUER}/token", f"{ISSUER}/par", f"{ISSUER}/", ISSUER.upper(), f" {ISSUER}", f"{ISSUER}\n", "https://login.test.evil.test",
     [ISSUER],
     [ISSUER, "https://elsewhere.test"], {"aud": ISSUER}, "", None, 5],
)  # fmt: skip
def test_assertion_for_another_audience(audience: object) -> None:
    """FAPI 2.0 Security Profile cl. 5.3.2.1: the issuer as a string; an endpoint or an array lets another server replay it."""
    with pytest.raises(ASSERTION.refusal):
        ASSERTION.enter(signed(EC, ASSERTION.header, {**ASSERTION.claims, "aud": audience}))


@pytest.mark.parametrize("name", ["iss", "sub"])
@pytest.mark.parametrize("value", ["other", "BANK", "bank ", "bank\x00", "", None, 5, ["bank"], {"a": "bank"}])
def test_assertion_of_another_party(name: str, value: object) -> None:
    with pytest.raises(ASSERTION.refusal):
        ASSERTION.enter(signed(EC, ASSERTION.header, {**ASSERTION.claims, name: value}))


def test_assertion_replay_meets_the_same_memory() -> None:
    """The store remembers the use; the same assertion, however it is spelled outside its signature, is the same use."""
    text = ASSERTION.good()
    uses = {ASSERTION.enter(text) for _ in range(3)}
    assert len(uses) == 1
    for other in (f"{text}=", f"{text}==", f"{text}\n", text.replace(".", "=.", 1)):
        with pytest.raises(ASSERTION.refusal):
            ASSERTION.enter(other)
