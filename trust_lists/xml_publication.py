"""The XML exports beside a published version: each region's list and the list of lists, signed, and proven to say the same.

Owns:    which files there are, and the check that each parses back to what it was written from. Leaves XML to `xml_export`, `xml_import`,
         signatures to `xml_signature`.
Rules:   an export that our own reader does not take back as the same value is never handed out. A region's export is made of the accepted
         section alone; the list of lists points to the exports that are there, with the certificates that signed them.
Spec:    ETSI TS 119 612 v2.4.1 cl. 5.3.13 (pointers to other lists), 5.7 (signature).
"""

from collections.abc import Mapping
from datetime import datetime

from trust_lists.bundle import FileRequest
from trust_lists.errors import DraftRefused, ListMixed
from trust_lists.model import LocalText
from trust_lists.snapshot import Snapshot
from trust_lists.vocabulary import Region
from trust_lists.xml_export import LISTS, Pointer, Publication, export_list_of_lists, export_region, xml_name
from trust_lists.xml_import import import_list, region_list_of, scheme_of
from trust_lists.xml_signature import MAX_XML_BYTES, XmlSigner, sign_list

_JOINT_OPERATOR = (LocalText("en", "The scheme operators of Hong Kong, Macao and Guangdong"),)


def export_section(
    snapshot: Snapshot, region: Region, signer: XmlSigner, at: datetime, publication: Publication
) -> bytes:
    """Return a region's signed export.

    Raises:
        DraftRefused: it cannot be exported so that it parses back to the same value.
    """
    section = snapshot.sections[region]
    data = sign_list(export_region(section, snapshot.scheme, publication), signer, at)
    if region_list_of(import_list(data, signer.der).list) != section:
        raise DraftRefused(f"the export of {region.value} does not parse back to the same list")
    return data


def export_lists(
    snapshot: Snapshot,
    exports: Mapping[Region, bytes],
    base_url: str,
    signer: XmlSigner,
    at: datetime,
    publication: Publication,
) -> bytes:
    """Return the signed list of lists over the regions' exports.

    Raises:
        DraftRefused: an export is missing, of another version, or the scheme does not parse back to the same value.
    """
    if set(exports) != set(Region):
        raise DraftRefused("the list of lists needs the exports of all three regions first")
    pointers = []
    for region in Region:
        read = import_list(exports[region])
        if read.signer is None or region_list_of(read.list) != snapshot.sections[region]:
            raise DraftRefused(f"the export of {region.value} is not signed, or not of this version")
        location = f"{base_url.rstrip('/')}/{xml_name(snapshot.version, region)}"
        pointers.append(Pointer(region, location, read.signer, snapshot.sections[region].operator_names))
    root = export_list_of_lists(snapshot.scheme, _JOINT_OPERATOR, tuple(pointers), publication)
    data = sign_list(root, signer, at)
    if scheme_of(import_list(data, signer.der).list) != snapshot.scheme:
        raise DraftRefused("the list of lists does not parse back to the same scheme")
    return data


def export_request(version: int, part: str) -> FileRequest:
    """Return what to ask a source for."""
    return FileRequest(xml_name(version, part), MAX_XML_BYTES)


def check_export(snapshot: Snapshot, part: str, data: bytes) -> bytes:
    """Return an export from elsewhere when it says what the accepted list says: it is then as good as that list.

    Raises:
        ListMixed: it says something else.
        SignatureInvalid, ListMalformed: see `xml_import.import_list`.
    """
    read = import_list(data).list
    same = (
        region_list_of(read) == snapshot.sections[Region(part)]
        if part in set(Region)
        else scheme_of(read) == snapshot.scheme
    )
    if not same:
        raise ListMixed("the XML export does not say what the accepted list says")
    return data


def export_all(
    snapshot: Snapshot, signers: Mapping[Region, XmlSigner], lists: XmlSigner, base_url: str, at: datetime
) -> dict[str, bytes]:
    """Return all four exports of a version by their file names, where all keys are at hand."""
    publication = Publication(base_url)
    exports = {region: export_section(snapshot, region, signers[region], at, publication) for region in Region}
    files = {xml_name(snapshot.version, region): data for region, data in exports.items()}
    files[xml_name(snapshot.version, LISTS)] = export_lists(snapshot, exports, base_url, lists, at, publication)
    return files
