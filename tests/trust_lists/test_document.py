"""The JSON documents: what is written is read back, and parser and published schema refuse the same."""

import copy
import json
from dataclasses import replace
from datetime import timedelta
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.operators_scheme import founding_draft
from tests.support.json_schema import valid
from tests.support.trust_lists import START, drafts, refusal
from trust_lists.document import parse_region_list
from trust_lists.document_writing import write_region_list
from trust_lists.drafting import set_status
from trust_lists.errors import ListMalformed
from trust_lists.model import ServiceStatus, SupplyPoint
from trust_lists.scheme_document import parse_scheme, write_scheme
from trust_lists.strict_json import parse_object
from trust_lists.vocabulary import Region

_drafts = tuple(
    replace(
        d, supply_points=(SupplyPoint("ocsp", "http://example.test/ocsp"),), definition_uri="https://example.test/cps"
    )
    for d in drafts()
)
DRAFT = set_status(founding_draft(_drafts, START), "hk-rsa", ServiceStatus.SUSPENDED, START + timedelta(microseconds=5))
SECTION = write_region_list(DRAFT.sections[Region.HK])
SCHEME = write_scheme(DRAFT.scheme)
SCHEMAS = {
    name: json.loads(files("trust_lists").joinpath(f"{name}.schema.json").read_text())
    for name in ("region_list", "scheme")
}
PARSERS = {"region_list": parse_region_list, "scheme": parse_scheme}
DOCUMENTS = {"region_list": json.loads(SECTION), "scheme": json.loads(SCHEME)}


@pytest.mark.parametrize("region", Region)
def test_a_section_is_read_back_as_written(region: Region) -> None:
    section = DRAFT.sections[region]
    assert parse_region_list(write_region_list(section)) == section
    assert write_region_list(parse_region_list(write_region_list(section))) == write_region_list(section)


def test_the_scheme_is_read_back_as_written() -> None:
    ended = replace(DRAFT.scheme.admissions[0], until=START + timedelta(days=1))
    scheme = replace(DRAFT.scheme, admissions=(ended, *DRAFT.scheme.admissions[1:]))
    assert parse_scheme(write_scheme(scheme)) == scheme


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_we_write_is_of_the_published_schema(name: str) -> None:
    assert valid(DOCUMENTS[name], SCHEMAS[name])


def _places(value: object, path: tuple = ()) -> list[tuple]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _places(item, (*path, key))
    return found


ODD = [
    None,
    True,
    0,
    -1,
    1,
    1.0,
    2**40,
    "",
    "x",
    "HK",
    "\x00",
    "http://x",
    "2026-11-24T09:00:00Z",
    [],
    {},
    [[]],
    ["hk"],
    "z" * 2000,
]


@settings(max_examples=400, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(DOCUMENTS)))
def test_parser_and_schema_agree_on_mutations(data: st.DataObject, name: str) -> None:
    """Whatever the schema refuses, the parser refuses; where the parser alone refuses, it is for what a schema cannot say."""
    document = copy.deepcopy(DOCUMENTS[name])
    *parents, last = data.draw(st.sampled_from(_places(document)))
    place = document
    for key in parents:
        place = place[key]
    action = data.draw(st.sampled_from(["replace", "remove", "add", "double"]))
    if action == "remove":
        del place[last]
    elif action == "add" and isinstance(place, dict):
        place["Unknown"] = 1
    elif action == "double" and isinstance(place, list):
        place.append(copy.deepcopy(place[last]))
    else:
        place[last] = data.draw(st.sampled_from(ODD))
    try:
        PARSERS[name](json.dumps(document).encode())
    except ListMalformed as error:
        if valid(document, SCHEMAS[name]):
            assert any(word in str(error) for word in BEYOND_SCHEMA), str(error)
    else:
        assert valid(document, SCHEMAS[name])


BEYOND_SCHEMA = (
    "twice", "one key stands", "do not descend", "not a certificate", "no such date", "unknown purpose", "not after the admission",
    "joins two regions", "different keys",
)  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"\xff\xfe{}",
        b'{"a": 1} x',
        b'{"a": Infinity}',
    ],
    ids=["empty", "array", "null", "NaN", "member twice", "deep", "not UTF-8", "trailing", "Infinity"],
)
def test_what_is_not_strict_json(data: bytes) -> None:
    assert refusal(parse_object, data, max_bytes=1_000_000) == "list_malformed"


def test_a_document_has_a_size_limit() -> None:
    assert refusal(parse_object, b"{" + b" " * 100 + b"}", max_bytes=50) == "list_malformed"


def test_two_certificates_of_one_identity_carry_one_key() -> None:
    document = copy.deepcopy(DOCUMENTS["region_list"])
    services = [s for entity in document["TrustedEntitiesList"] for s in entity["TrustedEntityServices"]]
    identities = [s["ServiceInformation"]["ServiceDigitalIdentity"]["X509Certificates"] for s in services]
    identities[0].append(identities[1][0])
    assert refusal(parse_region_list, json.dumps(document).encode()) == "list_malformed"
