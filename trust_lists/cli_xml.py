"""`trust-list` commands for the XML form: export-xml, import-xml.

Owns:    options and output of these commands. Leaves the exports to `xml_publication`, reading to `xml_import`.
Rules:   only an accepted version is exported. What is imported is described, never trusted: past its next update it comes with a warning.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from trust_lists.cli_output import JsonOption, err, finish, print_json, print_table, progress, refusals
from trust_lists.cli_prepare import HERE, RepoOption
from trust_lists.clock import utc_now
from trust_lists.errors import DraftRefused, ListExpired, ListStorageFailed, TrustListRefused
from trust_lists.key_password import password_for
from trust_lists.model import RegionList
from trust_lists.snapshot import Snapshot
from trust_lists.store import write_atomically
from trust_lists.vocabulary import Region
from trust_lists.workspace import Workspace
from trust_lists.xml_export import LISTS, Publication, xml_name
from trust_lists.xml_import import ImportedList, TrustedList, import_list
from trust_lists.xml_publication import export_lists, export_section
from trust_lists.xml_signature import MAX_XML_BYTES, XmlSigner, load_xml_key, read_xml_certificate, self_made

_MAX_KEY_BYTES = 64 * 1024
_COUNTRY = {Region.HK: "HK", Region.MO: "MO", Region.GD: "CN"}


def register(app: typer.Typer) -> None:
    """Hang the commands into the application."""
    app.command("export-xml")(export_xml)
    app.command("import-xml")(import_xml)


# --- export ------------------------------------------------------------------------------------------------------------


def export_xml(
    key: Annotated[
        list[str],
        typer.Option(help="REGION=KEY.pem or lists=KEY.pem (P-256 or RSA); its certificate lies beside it as KEY.pem.crt, or is made."),
    ],
    base_url: Annotated[str, typer.Option(help="Where the published directory is served: the list of lists points there.")],
    repo: RepoOption = HERE,
    as_json: JsonOption = False,
) -> None:  # fmt: skip
    """Write the published version as ETSI TS 119 612 v6 XML, signed with XAdES, beside its other files."""
    keys = dict(_parse_key(value) for value in key)
    with refusals(as_json), progress("exporting", as_json):
        workspace, at = Workspace(repo), utc_now()
        published = workspace.published(at)
        if published is None:
            raise DraftRefused("nothing is published yet: only a published version is exported")
        written = _export(workspace, published.snapshot, keys, base_url, at)
    rows = [(name, len(data)) for name, data in written.items()]
    value = {"version": published.snapshot.version, "files": {name: len(data) for name, data in written.items()}}
    finish(
        as_json,
        value,
        lambda: print_table("exported beside the version", ("file", "bytes"), rows),
        "`trust-list import-xml FILE` reads one back; tell readers of the list of lists which certificate signs it",
    )


def _parse_key(value: str) -> tuple[str, Path]:
    name, _, path = value.partition("=")
    if name not in {*Region, LISTS} or not path:
        raise typer.BadParameter("expected hk=KEY.pem, mo=…, gd=… or lists=…", param_hint="--key")
    return name, Path(path)


def _export(
    workspace: Workspace, snapshot: Snapshot, keys: Mapping[str, Path], base_url: str, at: datetime
) -> dict[str, bytes]:
    publication, folder = Publication(base_url), workspace.published_directory
    written: dict[str, bytes] = {}
    for region in Region:
        if region.value in keys:
            signer = _signer(keys[region.value], snapshot.sections[region], at)
            written[xml_name(snapshot.version, region)] = export_section(snapshot, region, signer, at, publication)
    for name, data in written.items():
        write_atomically(folder / name, data)
    if LISTS in keys:
        held = {region: folder / xml_name(snapshot.version, region) for region in Region}
        exports = {region: path.read_bytes() for region, path in held.items() if path.is_file()}
        data = export_lists(snapshot, exports, base_url, _signer(keys[LISTS], None, at), at, publication)
        written[xml_name(snapshot.version, LISTS)] = data
        write_atomically(folder / xml_name(snapshot.version, LISTS), data)
    return written


def _signer(path: Path, section: RegionList | None, at: datetime) -> XmlSigner:
    """Return the key with the certificate beside it; one is made where there is none."""
    pem = _read(path, _MAX_KEY_BYTES)
    private, beside = load_xml_key(pem, password_for(pem)), path.with_name(path.name + ".crt")
    if beside.is_file():
        return XmlSigner(private, read_xml_certificate(_read(beside, _MAX_KEY_BYTES)))
    operator = section.operator_names[0].value if section else "The three scheme operators"
    signer = self_made(private, operator, _COUNTRY[section.region] if section else "HK", at)
    write_atomically(beside, signer.certificate.public_bytes(Encoding.PEM))
    return signer


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except OSError as error:
        raise ListStorageFailed(f"{path.name} cannot be read") from error


# --- import ------------------------------------------------------------------------------------------------------------


def import_xml(
    file: Annotated[Path, typer.Argument(help="A trusted list of ETSI TS 119 612, v5 or v6.")],
    signer: Annotated[
        Path | None, typer.Option(help="The only certificate that may have signed it, PEM or DER.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read a trusted list, verify its signature, and say what is in it; exit 1 when the signature does not hold."""
    with refusals(as_json):
        data = _read(file, MAX_XML_BYTES)
        expected = None
        if signer is not None:
            expected = read_xml_certificate(_read(signer, _MAX_KEY_BYTES)).public_bytes(Encoding.DER)
        try:
            imported = import_list(data, expected)
        except TrustListRefused as error:
            _refuse(error, as_json)
            raise typer.Exit(1) from error
        value = _describe(imported)
        rows = [(name, cell) for name, cell in value.items() if name not in ("signature", "error")]
        rows.append(("signature", _signature(imported)["status"]))
        past = value["warnings"]
        finish(
            as_json,
            value,
            lambda: print_table(file.name, ("what", "value"), rows),
            "fetch a newer list: this one is past its next update and must not be trusted"
            if past
            else "compare the signer with the one that the list of lists names (`--signer`)",
        )


def _refuse(error: TrustListRefused, as_json: bool) -> None:
    bad_signature = error.code == "signature_invalid"
    if as_json:
        detail = {"status": "invalid" if bad_signature else "absent", "signer": None, "detail": str(error)}
        empty = dict.fromkeys(
            ("territory", "sequence_number", "issued", "next_update", "providers", "services", "history_entries")
        )
        print_json({**empty, "signature": detail, "error": {"code": error.code, "detail": str(error)}})
        return
    err.print(f"refused {error.code}: {error}", markup=False)
    err.print("next: fetch the list again from its publisher, and do not use this copy", markup=False)


def _describe(imported: ImportedList) -> dict[str, object]:
    read: TrustedList = imported.list
    expired = read.next_update is None or read.next_update <= utc_now()
    return {
        "territory": read.territory,
        "sequence_number": read.sequence_number,
        "issued": read.issued.isoformat(),
        "next_update": read.next_update.isoformat() if read.next_update else None,
        "providers": len(read.providers),
        "services": len(read.services),
        "history_entries": read.history_entries,
        "pointers": len(read.pointers),
        "version": read.version,
        "warnings": [ListExpired.code] if expired else [],
        "signature": _signature(imported),
        "error": None,
    }


def _signature(imported: ImportedList) -> dict[str, str | None]:
    if imported.signer is None:
        return {"status": "absent", "signer": None, "detail": "the list is not signed: anybody may have written it"}
    certificate = x509.load_der_x509_certificate(imported.signer)
    return {
        "status": "valid",
        "signer": certificate.subject.rfc4514_string(),
        "detail": "the bytes are as this signer signed them; whether it may sign this list is for the list of lists to say",
    }
