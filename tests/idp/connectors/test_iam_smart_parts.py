"""The pure parts: return codes, the browser's return, key lifetimes, the profile, certificates, configuration."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from idp.connectors.iam_smart.cek import ContentKey, ContentKeys, read_lifetime
from idp.connectors.iam_smart.certificate_repository import parse_certificates
from idp.connectors.iam_smart.certificates import names_match, parse_signing_certificate
from idp.connectors.iam_smart.codes import RETURN_CODES, error_for, is_success
from idp.connectors.iam_smart.config import Credentials, IamSmartConfig, KekPadding, parse_credentials
from idp.connectors.iam_smart.errors import ClockSkewed, ContentMalformed, ReturnMalformed, StateMismatch
from idp.connectors.iam_smart.front_channel import accept_return
from idp.connectors.iam_smart.outcomes import error_for_outcome
from idp.connectors.iam_smart.profile import parse_profile
from idp.errors import UpstreamDenied, UpstreamError, UpstreamRefused, UpstreamTimedOut, UpstreamUnavailable
from tests.support.iam_smart import make_authority, make_certificate

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
DAY_MS = 86_400_000
SKEW = timedelta(minutes=5)


# --- return codes


def test_every_row_of_the_fact_sheet_is_in_the_table():
    listed = {
        *(f"2000{n}" for n in range(10)), "20010", "20011", "20012", "20015", "20102", *(f"3000{n}" for n in range(1, 5)),
        *(f"4000{n}" for n in range(5)), *(f"5000{n}" for n in range(1, 4)), *(f"6000{n}" for n in range(4)),
        *(f"7000{n}" for n in range(7)), *(f"7100{n}" for n in range(10)), *(f"7700{n}" for n in range(5)),
        *(f"8000{n}" for n in range(1, 4)),
    }  # fmt: skip
    assert set(RETURN_CODES) == listed


@pytest.mark.parametrize("letter", "DM")
def test_both_letters_are_read_alike(letter):
    for digits, row in RETURN_CODES.items():
        error = error_for(letter + digits)
        assert type(error) is row.error and error.upstream_code == letter + digits
    assert is_success(letter + "00000")


@pytest.mark.parametrize("code", ["D99999", "D10000", "nonsense", "", "D0000", "X20000"])
def test_an_unknown_code_is_a_refusal_never_success(code):
    assert type(error_for(code)) is UpstreamRefused
    assert not is_success(code)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [("D50003", "upstream_timed_out"), ("signer_certificate_changed",) * 2, ("?", "upstream_refused")],
)
def test_an_outcome_becomes_an_error_again(outcome, code):
    assert error_for_outcome(outcome).code == code


# --- the browser's return


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("code=abc&state=s", "abc"),
        ("state=s&code=a%2Bb%2F%3D", "a+b/="),
        ("code=a+b&state=s", "a+b"),
        ("code=a%252Bb&state=s", "a%2Bb"),
        ("code=abc&state=s&businessID=1&other", "abc"),
    ],
)
def test_a_code_is_decoded_exactly_once(query, code):
    assert accept_return(query, state="s") == code


@pytest.mark.parametrize(
    "query", ["code=abc", "code=abc&state=", "code=abc&state=other", "", "error_code=D40000", "state=S&code=a"]
)
def test_a_return_without_our_state_is_refused_whatever_else_it_says(query):
    with pytest.raises(StateMismatch):
        accept_return(query, state="s")


@pytest.mark.parametrize(
    "query",
    [
        "code=a&code=b&state=s", "state=s&state=s&code=a", "code=%zz&state=s", "code=%e9&state=s", "code=é&state=s", "code=&state=s",
        "code=a%00b&state=s", "code=a%0Ab&state=s", f"code={'a' * 2000}&state=s", f"code=a&state=s&pad={'a' * 5000}",
        "state=s&error_code=nonsense", "state=s&error_code=", "state=s&error_code=D00000&code=abc",
    ],
)  # fmt: skip
def test_a_return_that_cannot_be_read_is_refused(query):
    with pytest.raises(ReturnMalformed):
        accept_return(query, state="s")


def test_state_alone_is_a_denial_and_an_error_code_is_its_error():
    with pytest.raises(UpstreamDenied):
        accept_return("state=s", state="s")
    with pytest.raises(UpstreamTimedOut) as failed:
        accept_return("error_code=D40003&state=s&code=abc", state="s")
    assert failed.value.upstream_code == "D40003"


# --- content keys


@pytest.mark.parametrize(
    ("issued", "expires", "ends"),
    [
        (NOW_MS, DAY_MS, NOW + timedelta(days=1)),
        (NOW_MS - DAY_MS // 2, DAY_MS, NOW + timedelta(hours=12)),
        (NOW_MS, NOW_MS + DAY_MS, NOW + timedelta(days=1)),  # an absolute time, as in the upstream's own example
        (NOW_MS, 40 * DAY_MS, NOW + timedelta(days=7)),
        (NOW_MS + 60_000, DAY_MS, NOW + timedelta(days=1, minutes=1)),
    ],
)
def test_a_key_ends_when_it_says(issued, expires, ends):
    assert read_lifetime({"issueAt": issued, "expiresIn": expires}, at=NOW, max_skew=SKEW) == ends


@pytest.mark.parametrize(
    ("issued", "expires"),
    [(NOW_MS - 2 * DAY_MS, DAY_MS), (NOW_MS + 600_000, DAY_MS), (NOW_MS, 0), (NOW_MS, NOW_MS - 1)],
)
def test_a_key_from_another_time_means_that_the_clocks_disagree(issued, expires):
    with pytest.raises(ClockSkewed):
        read_lifetime({"issueAt": issued, "expiresIn": expires}, at=NOW, max_skew=SKEW)


@pytest.mark.parametrize("value", [None, "1", True, -1, 1.5, 10**20, float("nan")])
def test_a_time_that_is_none_is_refused(value):
    for content in ({"issueAt": value, "expiresIn": DAY_MS}, {"issueAt": NOW_MS, "expiresIn": value}):
        with pytest.raises(ContentMalformed):
            read_lifetime(content, at=NOW, max_skew=SKEW)


async def test_however_many_need_a_key_one_fetch_runs():
    fetched = 0

    async def fetch() -> ContentKey:
        nonlocal fetched
        fetched += 1
        await asyncio.sleep(0.01)
        return ContentKey(bytes([fetched]) * 32, NOW + timedelta(hours=1))

    keys = ContentKeys(lambda: NOW)
    held = await asyncio.gather(*(keys.current("client", fetch) for _ in range(20)))
    assert fetched == 1 and len({key.key for key in held}) == 1
    # All twenty are told that the key is refused; one fetches, the others take what it brought.
    renewed = await asyncio.gather(*(keys.renew("client", fetch, refused=held[0]) for _ in range(20)))
    assert fetched == 2 and {key.key for key in renewed} == {b"\x02" * 32}
    await keys.current("another client", fetch)
    assert fetched == 3


async def test_a_key_near_its_end_is_replaced_and_a_failed_fetch_leaves_none():
    now = [NOW]
    answers: list[ContentKey | Exception] = [
        ContentKey(b"1" * 32, NOW + timedelta(hours=1)), UpstreamUnavailable(), ContentKey(b"2" * 32, NOW + timedelta(hours=3)),
    ]  # fmt: skip

    async def fetch() -> ContentKey:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    keys = ContentKeys(lambda: now[0])
    assert (await keys.current("client", fetch)).key == b"1" * 32
    now[0] += timedelta(minutes=59, seconds=45)
    with pytest.raises(UpstreamUnavailable):
        await keys.current("client", fetch)
    assert (await keys.current("client", fetch)).key == b"2" * 32


# --- the profile

PROFILE = {
    "idNo": {"Identification": "A123456", "CheckDigit": "3"},
    "enName": {"UnstructuredName": "SAN, Chi Nan"},
    "chName": {"ChineseName": "申智能"},
    "birthDate": "19900115",
    "gender": "M",
}


def test_a_profile_is_read():
    identity = parse_profile(PROFILE)
    assert (identity.document_number, identity.name_latin, identity.name_chinese) == (
        "A1234563",
        "SAN, Chi Nan",
        "申智能",
    )


@pytest.mark.parametrize("birthdate", ["1990", "199001", "19900115"])
def test_a_birth_date_may_be_partial(birthdate):
    assert parse_profile({**PROFILE, "birthDate": birthdate}).birthdate == birthdate


def test_what_the_upstream_does_not_say_is_empty():
    identity = parse_profile({name: value for name, value in PROFILE.items() if name not in ("chName", "gender")})
    assert (identity.name_chinese, identity.gender) == ("", "")
    assert parse_profile({**PROFILE, "gender": "X"}).gender == ""


@pytest.mark.parametrize(
    "change",
    [
        {"idNo": None}, {"idNo": "A123456"}, {"idNo": {"Identification": "a123456", "CheckDigit": "3"}},
        {"idNo": {"Identification": "A1234567", "CheckDigit": "3"}}, {"idNo": {"Identification": "A123456", "CheckDigit": "33"}},
        {"enName": None}, {"enName": {"UnstructuredName": ""}}, {"enName": {"UnstructuredName": "A\x00B"}},
        {"enName": {"UnstructuredName": "x" * 300}}, {"enName": {"UnstructuredName": 5}}, {"chName": []},
        {"birthDate": None}, {"birthDate": "199013"}, {"birthDate": "19900230"}, {"birthDate": "90"}, {"birthDate": "１９９０"},
        {"birthDate": 19900115},
    ],
)  # fmt: skip
def test_a_profile_of_another_shape_is_refused(change):
    with pytest.raises(ContentMalformed):
        parse_profile({**PROFILE, **change})


# --- certificates


def test_names_are_compared_without_their_spelling():
    assert names_match("CHAN KA YAN", "CHAN, Ka Yan")
    assert not names_match("CHAN, Ka Yan", "CHAN, Ka Yin")
    assert not names_match("", "")


def test_an_authority_or_garbage_is_no_signing_certificate():
    good = make_certificate("A", key="a")
    now = datetime.now(UTC)
    parse_signing_certificate(good, at=now)
    for der in (make_authority(), b"", good[:-1], good + b"\x00", b"\x30\x03\x02\x01\x01", b"x" * 20_000):
        with pytest.raises(ContentMalformed):
            parse_signing_certificate(der, at=now)
    with pytest.raises(ContentMalformed):
        parse_signing_certificate(good, at=now + timedelta(days=5000))


def test_a_repositorys_answers_are_read():
    assert parse_certificates("application/pkix-cert", b"der") == (b"der",)
    part = b"Content-Type: application/pkix-cert\r\n\r\n"
    body = (
        b"--x\r\n" + part + b"one\r\n--x\r\nContent-Type: text/plain\r\n\r\nno\r\n--x\r\n" + part + b"two\r\n--x--\r\n"
    )
    assert parse_certificates("multipart/mixed; boundary=x", body) == (b"one", b"two")


@pytest.mark.parametrize("content_type", ["text/html", "", "multipart/mixed; boundary=x\r\nX: y", "application/json"])
def test_another_answer_of_a_repository_is_refused(content_type):
    with pytest.raises(UpstreamError):
        parse_certificates(content_type, b"<html>")


# --- configuration

CREDENTIALS = Credentials("client", "secret", ("PEM",))


def _config(**changes: object) -> IamSmartConfig:
    members = {
        "base_url": "https://gateway.example",
        "redirect_uri": "https://us.example/callback/iam_smart",
        "credentials": CREDENTIALS,
    }
    return IamSmartConfig(**{**members, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "http://gateway.example"}, {"base_url": "https://gateway.example/"}, {"base_url": "gateway.example"},
        {"base_url": "https://user@gateway.example"}, {"certificate_repository": "http://ca.example/search"},
        {"department": ""}, {"department": "x" * 101}, {"scopes": ()}, {"scopes": ("a b",)}, {"callback_certificates": frozenset({"AB"})},
    ],
)  # fmt: skip
def test_a_senseless_configuration_stops_the_start(change):
    with pytest.raises(ValueError, match="iAM Smart"):
        _config(**change)


def test_http_is_taken_on_loopback_only_and_no_secret_is_printed():
    config = _config(base_url="http://127.0.0.1:8100/iam-smart")
    assert "secret'" not in repr(config) and "PEM" not in repr(config)


def test_credentials_are_read():
    file = {"client_id": "c", "client_secret": "s", "kek_private_key": ["new", "old"], "kek_padding": "oaep-sha256"}
    assert parse_credentials(json.dumps(file).encode()) == Credentials("c", "s", ("new", "old"), KekPadding.OAEP_SHA256)
    assert parse_credentials(json.dumps({**file, "kek_private_key": "one"}).encode()).kek_private_keys == ("one",)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"x" * 100_000, b'{"client_id":"c","client_secret":"","kek_private_key":"k"}',
        b'{"client_id":"c","client_secret":"s"}', b'{"client_id":"c","client_secret":"s","kek_private_key":[1]}',
        b'{"client_id":"c","client_secret":"s","kek_private_key":"k","kek_padding":"none"}',
    ],
)  # fmt: skip
def test_a_broken_credentials_file_is_refused(data):
    with pytest.raises(ValueError, match="iAM Smart credentials"):
        parse_credentials(data)
