"""One entry a line: the same values as any other layout, and nothing that only looks like it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.trust_list_xml import rich_offices
from tests.support.trust_lists import Offices, refusal
from trust_lists.document import parse_region_list, parse_section
from trust_lists.document_writing import write_readable, write_region_list
from trust_lists.line_layout import join_scheme, join_section, split_scheme, split_section
from trust_lists.scheme_document import parse_scheme, parse_scheme_lines, write_readable_scheme, write_scheme
from trust_lists.vocabulary import Region

OFFICES = rich_offices()
SNAPSHOT = OFFICES.published.snapshot
SECTION = write_region_list(SNAPSHOT.sections[Region.HK])
SCHEME = write_scheme(SNAPSHOT.scheme)


@pytest.mark.parametrize("region", list(Region))
def test_both_layouts_say_the_same(region: Region) -> None:
    section = SNAPSHOT.sections[region]
    lines, readable = write_region_list(section), write_readable(section)
    assert split_section(lines) is not None
    assert split_section(readable) is None
    assert json.loads(lines) == json.loads(readable)
    assert parse_region_list(lines) == parse_region_list(readable) == section
    empty = replace(section, providers=())
    assert parse_region_list(write_region_list(empty)) == parse_region_list(write_readable(empty)) == empty
    bare = replace(section, providers=tuple(replace(provider, services=()) for provider in section.providers))
    assert parse_region_list(write_region_list(bare)) == parse_region_list(write_readable(bare)) == bare


def test_both_layouts_of_the_scheme_say_the_same() -> None:
    assert split_scheme(SCHEME) is not None
    assert json.loads(SCHEME) == json.loads(write_readable_scheme(SNAPSHOT.scheme))
    assert parse_scheme(SCHEME) == parse_scheme(write_readable_scheme(SNAPSHOT.scheme)) == SNAPSHOT.scheme
    none = replace(SNAPSHOT.scheme, admissions=())
    assert parse_scheme(write_scheme(none)) == none


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(SECTION) - 1),
    st.sampled_from([b"", b",", b"\n", b"]}", b"]},", b'"', b"{", b"}", b"]", b" "]),
    st.integers(0, 3),
)
def test_what_the_lines_take_is_json_and_the_same(at: int, put: bytes, drop: int) -> None:
    """Any edit: where the layout is still found, the parser of lines agrees with that of the whole."""
    edited = SECTION[:at] + put + SECTION[at + drop :]

    def outcome(data: bytes) -> object:
        try:
            return parse_region_list(data)
        except Exception as error:
            return type(error)

    found = split_section(edited)
    if found is not None:
        joined = join_section(found.information, found.providers)
        assert joined == edited
    try:
        value = json.loads(edited)
    except ValueError:
        assert not isinstance(outcome(edited), type(SNAPSHOT.sections[Region.HK]))
        return
    assert outcome(edited) == outcome(json.dumps(value, indent=2).encode()) or b'": ' not in edited


@pytest.mark.parametrize(
    "old, new",
    [
        (b"]}\n", b"]},\n"), (b",\n{", b"\n{"), (b"]}\n", b"]}"), (b"]}\n]}\n", b"]}\n]}\n "), (b"]}\n]}\n", b"]},\n]}\n"),
        (b'"TrustedEntitiesList": [\n', b'"TrustedEntitiesList": [\n,\n'),
        (b', "TrustedEntityServices": [\n', b', "TrustedEntityServices": [\n]},\n'),
    ],
)  # fmt: skip
def test_commas_are_where_json_wants_them(old: bytes, new: bytes) -> None:
    assert old in SECTION
    edited = SECTION.replace(old, new, 1)
    if split_section(edited) is not None:
        json.loads(edited)
    else:
        assert refusal(parse_region_list, edited + b"x") == "list_malformed"


def test_a_line_that_was_parsed_is_not_parsed_again() -> None:
    first = parse_section(SECTION, {})
    again = parse_section(SECTION, first.known)
    assert all(old is new for old, new in zip(first.section.services, again.section.services, strict=True))
    moved = parse_section(SECTION.replace(b'"value": "HK Post"', b'"value": "HK Post Ltd"'), first.known)
    assert {service.provider for service in moved.section.services} == {"HK Post Ltd"}
    other = parse_section(SECTION.replace(b'"SchemeTerritory": "HK"', b'"SchemeTerritory": "MO"'), first.known)
    assert {service.region for service in other.section.services} == {Region.MO}
    scheme = parse_scheme_lines(SCHEME, {})
    kept = parse_scheme_lines(SCHEME, scheme.known)
    assert all(old is new for old, new in zip(scheme.scheme.admissions, kept.scheme.admissions, strict=True))
    assert (
        join_scheme(b"{}", b"[]", b"[]", ())
        == b'{"SchemeInformation": {},\n"Purposes": [],\n"Agreements": [],\n"AdmittedServices": [\n]}\n'
    )


def test_an_update_builds_only_what_changed() -> None:
    offices = Offices()
    first = offices.published.snapshot
    from trust_lists.model import ServiceStatus

    second = offices.set_status("hk-rsa", ServiceStatus.WITHDRAWN).snapshot
    same = [service for service in second.services if any(service is old for old in first.services)]
    assert {service.id for service in same} == {"hk-tsa", "mo-p256", "gd-rsa", "gd-sm2"}
    assert second.sections[Region.MO] is first.sections[Region.MO]
    assert second.scheme is first.scheme
    assert len(repr(second)) < 2000
