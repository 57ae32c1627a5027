"""Identity Assurance (`ekyc-test-plan-oidccore`): verified claims as OpenID Connect for Identity Assurance 1.0 asks and delivers them."""

import json
import uuid
from typing import Any

import pytest

from tests.idp.conformance.flow import Done, complete
from tests.support.idp import Client, Provider

PERMIT, HOME = "gba_mutual_recognition", "hk_iam_smart"
KNOWN = {
    "name": "CHAN, Ka Yan", "given_name": "Ka Yan", "family_name": "CHAN", "birthdate": "1990-01-15", "gender": "female",
}  # fmt: skip
PLACES = ("id_token", "userinfo")
Element = dict[str, Any]


@pytest.fixture
async def rp(provider: Provider) -> Client:
    return await provider.register(Client("ekyc-1"))


async def asked(rp: Client, claims: Element, *, verification: Element | None = None, places=PLACES) -> Done:
    """Ask for verified claims at the given places, and walk the whole login."""
    element = {"verification": verification or {"trust_framework": None}, "claims": claims}
    done = await complete(rp, claims=json.dumps({place: {"verified_claims": element} for place in places}))
    for place in (done.claims, done.userinfo):
        await within_the_metadata(rp.provider, place.get("verified_claims"))
    return done


async def within_the_metadata(provider: Provider, elements: list[Element] | None) -> None:
    """The shape of the standard's schema, and nothing that the metadata does not advertise."""
    if elements is None:
        return
    async with provider.back_channel() as http:
        metadata = (await http.get("/.well-known/openid-configuration")).json()
    assert metadata["verified_claims_supported"] is True
    assert elements, "an empty list is left out"
    for element in elements:
        assert set(element) == {"verification", "claims"}
        assert element["verification"]["trust_framework"] in metadata["trust_frameworks_supported"]
        assert element["claims"], "an element without claims is left out"
        names = {name.partition("#")[0] for name in element["claims"]}
        assert names <= set(metadata["claims_in_verified_claims_supported"])
        for evidence in element["verification"].get("evidence", []):
            assert evidence["type"] in metadata["evidence_supported"]
            kind = evidence.get("document_details", {}).get("type")
            assert kind is None or kind in metadata["documents_supported"]


def only(place: Element) -> Element:
    """The one element that a login without permit check can have."""
    (element,) = place["verified_claims"]
    assert element["verification"] == {"trust_framework": HOME}, "of the verification only what was asked"
    return element["claims"]


def plain(claims: Element) -> Element:
    return {name: value for name, value in claims.items() if "#" not in name}


@pytest.mark.parametrize("name", KNOWN)
async def test_ekyc_server_happypath(rp: Client, name: str) -> None:
    done = await asked(rp, {name: None})
    for place in (done.claims, done.userinfo):
        assert plain(only(place)) == {name: KNOWN[name]}
        assert name not in place, "verified is no plain claim"


async def test_ekyc_server_happypath_emptyobject(rp: Client) -> None:
    done = await asked(rp, {"name": {}})
    assert plain(only(done.claims)) == plain(only(done.userinfo)) == {"name": KNOWN["name"]}


async def test_ekyc_server_happypath_essentialfalse(rp: Client) -> None:
    done = await asked(rp, {"name": {"essential": False}})
    assert plain(only(done.claims)) == plain(only(done.userinfo)) == {"name": KNOWN["name"]}


async def left_out(rp: Client, unknown: str, member: object) -> None:
    done = await asked(rp, {"birthdate": None, unknown: member})
    for place in (done.claims, done.userinfo):
        assert only(place) == {"birthdate": KNOWN["birthdate"]}


async def test_ekyc_server_unknown_claim_omitted(rp: Client) -> None:
    await left_out(rp, "unknown_claim", None)


async def test_ekyc_server_unknown_essential_claim_omitted(rp: Client) -> None:
    await left_out(rp, "unknown_claim", {"essential": True})


async def test_ekyc_server_unknown_claim_specialchars_omitted(rp: Client) -> None:
    for name in ("not%2Fa-claim!", "漢字 😀", '"><script>', "a b", "", "\u0000"):
        await left_out(rp, name, None)


async def test_ekyc_server_one_claim_with_random_value_omitted(rp: Client) -> None:
    """The claim that does not match is left out; with it the element, when nothing else is in it."""
    other = {"value": str(uuid.uuid4())}
    done = await asked(rp, {"name": other})
    assert "verified_claims" not in done.claims
    assert "verified_claims" not in done.userinfo
    done = await asked(rp, {"name": other, "birthdate": {"value": KNOWN["birthdate"]}})
    assert only(done.claims) == only(done.userinfo) == {"birthdate": KNOWN["birthdate"]}


async def test_ekyc_server_request_only_in_idtoken(rp: Client) -> None:
    done = await asked(rp, {"name": None}, places=("id_token",))
    assert plain(only(done.claims)) == {"name": KNOWN["name"]}
    assert set(done.userinfo) == {"sub"}


async def test_ekyc_server_request_only_in_userinfo(rp: Client) -> None:
    done = await asked(rp, {"name": None}, places=("userinfo",))
    assert plain(only(done.userinfo)) == {"name": KNOWN["name"]}
    assert "verified_claims" not in done.claims


CONFIGURED = {
    "verification": {
        "trust_framework": {"value": PERMIT},
        "time": {"max_age": 600},
        "assurance_level": {"values": ["substantial", "high"]},
        "evidence": [
            {
                "type": {"value": "document"},
                "check_details": [{"check_method": None, "organization": None, "time": None}],
                "document_details": {"type": {"value": "mainland_travel_permit"}, "issuer": {"country_code": None}},
            }
        ],
    },
    "claims": {"name": {"essential": True}, "birthdate": None, "exit_entry_permit_holder": None},
}


async def test_ekyc_server_testuserprovidedrequest(provider: Provider, rp: Client) -> None:
    """What our portals ask: the permit check's evidence, by every condition that they may set."""
    done = await complete(rp, claims=json.dumps({"userinfo": {"verified_claims": CONFIGURED}}))
    (element,) = done.userinfo["verified_claims"]
    await within_the_metadata(provider, [element])
    verification = element["verification"]
    assert set(verification) == {"trust_framework", "time", "assurance_level", "evidence"}
    (evidence,) = verification["evidence"]
    assert set(evidence) == {"type", "check_details", "document_details"}
    assert [check["check_method"] for check in evidence["check_details"]] == ["data", "bvr"]
    assert {frozenset(check) for check in evidence["check_details"]} == {
        frozenset({"check_method", "organization", "time"})
    }
    assert evidence["document_details"] == {"type": "mainland_travel_permit", "issuer": {"country_code": "CHN"}}
    assert plain(element["claims"]) == {
        "name": KNOWN["name"], "birthdate": KNOWN["birthdate"], "exit_entry_permit_holder": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"trust_framework": {"value": "eidas"}},
        {"time": {"max_age": 0}},
        {"assurance_level": {"value": "high"}},
        {"verification_process": {"value": "another"}},
        {"evidence": [{"type": {"value": "electronic_record"}}]},
        {"evidence": [{"type": {"value": "document"}, "check_details": [{"check_method": {"value": "vcrypt"}}]}]},
        {"evidence": [{"type": {"value": "document"}, "document_details": {"type": {"value": "passport"}}}]},
        {"evidence": [{"type": {"value": "document"}, "document_details": {"date_of_issuance": {"max_age": 1}}}]},
    ],
)
async def test_what_is_not_met_in_the_verification_omits_the_element(
    provider: Provider, rp: Client, changes: Element
) -> None:
    """IDA, "Data not matching requirements": omitted, and never an error."""
    element = {**CONFIGURED, "verification": {**CONFIGURED["verification"], **changes}}
    request = rp.url(claims=json.dumps({"userinfo": {"verified_claims": element}}))
    browser = provider.browser()
    response = await browser.open(request)
    if response.is_redirect:
        response = await browser.pass_permit(response)
        provider.later(seconds=1)
    from tests.idp.conformance.flow import finish
    from tests.support.idp import answer

    done = await finish(rp, answer(await browser.agree(response)), claims="")
    assert set(done.userinfo) == {"sub"}


async def test_ekyc_server_testbasedonuserinfo_defaults(rp: Client) -> None:
    """A request built from the very data that userinfo gives: each by its value, and all of it comes."""
    done = await complete(rp, scope="openid profile")
    told = {name: value for name, value in done.userinfo.items() if name in KNOWN}
    assert told == KNOWN
    again = await asked(rp, {name: {"value": value} for name, value in told.items()})
    assert plain(only(again.userinfo)) == plain(only(again.claims)) == KNOWN


async def test_ekyc_server_test_userinfo_notfoundinop(provider: Provider, rp: Client) -> None:
    """Elements that the metadata does not advertise: left out, or with a condition the whole element is."""
    done = await asked(rp, {"name": None, "nationalities": None, "place_of_birth": None}, verification={
        "trust_framework": None, "assurance_process": None, "txn": None,
    })  # fmt: skip
    assert plain(only(done.userinfo)) == {"name": KNOWN["name"]}
    for verification in (
        {"trust_framework": {"value": "de_aml"}},
        {"trust_framework": None, "assurance_process": {"policy": {"value": "gpg45"}}},
        {"trust_framework": None, "evidence": [{"type": {"value": "vouch"}}]},
    ):
        done = await asked(rp, {"name": None}, verification=verification)
        assert "verified_claims" not in done.claims
        assert "verified_claims" not in done.userinfo
    done = await asked(rp, {"nationalities": None})
    assert "verified_claims" not in done.userinfo
