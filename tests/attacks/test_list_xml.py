"""Attacks on the XML form of a list: wrapped signatures, bombs, entities, and lists that are no lists."""

import copy
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from lxml import etree

from tests.support.trust_list_xml import SIGNERS, exports, rich_offices
from tests.support.trust_lists import refusal
from trust_lists import xml_names as names
from trust_lists.vocabulary import Region
from trust_lists.xml_import import import_list, read_list, region_list_of, scheme_of
from trust_lists.xml_signature import MAX_XML_BYTES, parse_xml, verify_list

T = f"{{{names.TSL}}}"
SIGNATURE = f"{{{names.DS}}}Signature"


@pytest.fixture(scope="module")
def signed() -> bytes:
    offices = rich_offices()
    return exports(offices)[f"xml/{offices.published.snapshot.version}.hk.xml"]


def forge(root: etree._Element) -> etree._Element:
    """A list that says something else: the withdrawn service is granted."""
    forged = copy.deepcopy(root)
    for status in forged.iter(f"{T}ServiceStatus"):
        status.text = status.text.replace("withdrawn", "granted")
    return forged


def test_altered_list(signed: bytes) -> None:
    assert b"Svcstatus/withdrawn" in signed
    assert refusal(import_list, signed.replace(b"Svcstatus/withdrawn", b"Svcstatus/granted")) == "signature_invalid"
    assert refusal(import_list, signed.replace(b"TSLSequenceNumber>5<", b"TSLSequenceNumber>6<")) == "signature_invalid"


def test_signature_stripped(signed: bytes) -> None:
    root = etree.fromstring(signed)
    root.remove(root.find(SIGNATURE))
    unsigned = etree.tostring(root)
    assert import_list(unsigned).signer is None
    assert refusal(import_list, unsigned, SIGNERS[Region.HK].der) == "signature_invalid"
    assert refusal(import_list, signed, SIGNERS[Region.MO].der) == "signature_invalid"


def wrapped_inside(root: etree._Element) -> etree._Element:
    """The signed list lies whole inside a forged one's extension."""
    forged = forge(root)
    forged.remove(forged.find(SIGNATURE))
    forged.set("Id", "forged")
    info = forged.find(f"{T}SchemeInformation")
    extensions = etree.SubElement(info, f"{T}SchemeExtensions")
    etree.SubElement(extensions, f"{T}Extension", Critical="false").append(root)
    return forged


def wrapped_with_the_signature_outside(root: etree._Element) -> etree._Element:
    """The same, with the signature moved where a signature belongs."""
    signature = root.find(SIGNATURE)
    forged = wrapped_inside(copy.deepcopy(root))
    inner = forged.find(f".//{T}Extension/{T}TrustServiceStatusList")
    inner.remove(inner.find(SIGNATURE))
    signature.find(f".//{{{names.DS}}}Reference").set("URI", f"#{inner.get('Id')}")
    forged.append(signature)
    return forged


def wrapped_by_a_double_id(root: etree._Element) -> etree._Element:
    """Two elements with one Id: the verifier finds one, the reader the other."""
    forged = wrapped_with_the_signature_outside(root)
    forged.set("Id", forged.find(f".//{T}Extension/{T}TrustServiceStatusList").get("Id"))
    return forged


def wrapped_in_another_root(root: etree._Element) -> etree._Element:
    outer = etree.Element("Envelope")
    outer.append(forge(root))
    outer.append(root)
    return outer


def signed_twice(root: etree._Element) -> etree._Element:
    root.append(copy.deepcopy(root.find(SIGNATURE)))
    return root


def signature_over_its_object_alone(root: etree._Element) -> etree._Element:
    signature = root.find(SIGNATURE)
    info = signature.find(f"{{{names.DS}}}SignedInfo")
    info.remove(info.find(f"{{{names.DS}}}Reference"))
    return forge(root)


def signature_without_certificate(root: etree._Element) -> etree._Element:
    signature = root.find(SIGNATURE)
    signature.remove(signature.find(f"{{{names.DS}}}KeyInfo"))
    return root


def weak_digest(root: etree._Element) -> etree._Element:
    for method in root.iter(f"{{{names.DS}}}DigestMethod"):
        method.set("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")
    return root


def hmac_signature(root: etree._Element) -> etree._Element:
    root.find(f".//{{{names.DS}}}SignatureMethod").set(
        "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
    )
    return root


@pytest.mark.parametrize(
    "attack",
    [
        wrapped_inside, wrapped_with_the_signature_outside, wrapped_by_a_double_id, wrapped_in_another_root, signed_twice,
        signature_over_its_object_alone, signature_without_certificate, weak_digest, hmac_signature,
    ],
)  # fmt: skip
def test_wrapped_xml_signature(signed: bytes, attack: Callable[[etree._Element], etree._Element]) -> None:
    assert refusal(import_list, etree.tostring(attack(etree.fromstring(signed)))) == "signature_invalid"


def test_what_is_read_is_what_was_signed(signed: bytes) -> None:
    """The tree that comes back is made of the signed bytes, and holds no signature."""
    found = verify_list(signed)
    assert found is not None
    assert found.root.find(SIGNATURE) is None
    assert found.certificate == SIGNERS[Region.HK].der


BOMB = (
    b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><a>&j;</a>"
)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"not xml", b"<a", BOMB, BOMB.replace(b"DOCTYPE", b"doctype"),
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x"><a/>', b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b"<a>&undefined;</a>", b"<a>" * 300 + b"</a>" * 300, "<a/>".encode("utf-16"), b"\xff\xfe<a/>", b"<a>\x00</a>",
    ],
)  # fmt: skip
def test_hostile_xml(data: bytes) -> None:
    start = time.process_time()
    assert refusal(import_list, data) == "list_malformed"
    assert time.process_time() - start < 5  # bounded work, not a speed test


def test_oversized_xml() -> None:
    assert refusal(parse_xml, b"<a>" + b" " * MAX_XML_BYTES + b"</a>") == "list_malformed"


def test_too_many_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trust_lists.xml_signature.MAX_ELEMENTS", 100)
    assert refusal(parse_xml, b"<a>" + b"<b/>" * 100 + b"</a>") == "list_malformed"


def _drop(name: str) -> Callable[[etree._Element], None]:
    def edit(root: etree._Element) -> None:
        element = next(root.iter(f"{T}{name}"))
        element.getparent().remove(element)

    return edit


def _set(name: str, text: str | None) -> Callable[[etree._Element], None]:
    def edit(root: etree._Element) -> None:
        next(root.iter(f"{T}{name}")).text = text

    return edit


def _swap(root: etree._Element) -> None:
    info = next(root.iter(f"{T}SchemeInformation"))
    info.insert(0, info[-1])


def _rename(root: etree._Element) -> None:
    root.tag = f"{T}SomethingElse"


def _history_newer(root: etree._Element) -> None:
    next(root.iter(f"{T}ServiceHistoryInstance")).find(f"{T}StatusStartingTime").text = "2099-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "edit",
    [
        _drop("SchemeInformation"), _drop("TSLSequenceNumber"), _drop("TSPName"), _drop("ServiceStatus"), _drop("NextUpdate"),
        _swap, _rename, _set("TSLSequenceNumber", "-1"), _set("TSLSequenceNumber", "٣"), _set("TSLVersionIdentifier", "7"),
        _set("ListIssueDateTime", "today"),
        _set("StatusStartingTime", None), _set("X509Certificate", "!"), _set("TSLType", " "), _set("TSLType", "x" * 70_000), _history_newer,
    ],
)  # fmt: skip
def test_lists_against_the_schema(signed: bytes, edit: Callable[[etree._Element], None]) -> None:
    root = verify_list(signed).root
    edit(root)
    assert refusal(read_list, root) == "list_malformed"


def _no_identifier(root: etree._Element) -> None:
    for element in root.iter(f"{{{names.OURS}}}ServiceIdentifier"):
        element.getparent().remove(element)


@pytest.mark.parametrize(
    "edit",
    [
        _set("SchemeTerritory", "ZZ"), _set("TSLType", names.LIST_OF_LISTS), _set("ServiceStatus", "urn:other"),
        _set("ServiceTypeIdentifier", "urn:other"),
        _set("X509Certificate", "AAAA"), _no_identifier, _drop("dateTime"),
    ],
)  # fmt: skip
def test_foreign_lists_are_none_of_ours(signed: bytes, edit: Callable[[etree._Element], None]) -> None:
    root = verify_list(signed).root
    edit(root)
    assert refusal(region_list_of, read_list(root)) == "list_malformed"


def test_a_region_list_carries_no_scheme(signed: bytes) -> None:
    read = import_list(signed).list
    assert refusal(scheme_of, read) == "list_malformed"
    assert refusal(scheme_of, replace(read, type=names.LIST_OF_LISTS, scheme=b"{}")) == "list_malformed"
