"""The directory in which officers prepare a list: roster, draft, what waits for signatures, and the published repository.

Owns:    `Workspace`, the files behind `trust-list --repo DIR`. Leaves what they mean to `publication` and `drafting`.
Rules:   everything is a plain file that a review can show: `roster.json`, `draft/*.json` (the documents' own form),
         `staged/*.json` (TUF metadata, to send around for signatures) and `staged/documents/`, `sealed/` and `log/` (the version and the
         log as witnesses see them before it is public), `published/`.
         Private keys never lie here. Every file is written by temporary name and rename.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from trust_lists.bundle import ROLES, TARGET_PATHS, metadata_name
from trust_lists.document import parse_region_list
from trust_lists.document_writing import write_readable
from trust_lists.errors import DraftRefused, ListStorageFailed
from trust_lists.list_log import ListLog
from trust_lists.log_tiles import CHECKPOINT_NAME
from trust_lists.publication import Draft, Published, Staged, draft_of, reopen
from trust_lists.repository import Officer, Roster
from trust_lists.scheme_document import parse_scheme, write_readable_scheme
from trust_lists.signers import public_key
from trust_lists.store import Step, is_published, no_step, read_bundle, read_log, write_atomically, write_bundle
from trust_lists.strict_json import members, number, parse_object, sequence, text, write_object
from trust_lists.transparency import parse_log_keys
from trust_lists.vocabulary import Region

_ROSTER = frozenset({"Officers", "SectionThresholds", "OnlineKey"})
_LOG = frozenset({"Log"})
_OFFICER = frozenset({"Region", "Name", "PublicKey"})
_MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StagedFiles:
    """What waits for signatures: a root when the roster changed, roles when the draft did."""

    root: bytes | None
    roles: Staged


class Workspace:
    """One directory; nothing is kept in memory between calls."""

    def __init__(self, directory: Path) -> None:
        """Name the directory; it need not exist yet."""
        self.directory = directory
        self.published_directory = directory / "published"

    # --- roster --------------------------------------------------------------------------------------------------------

    def exists(self) -> bool:
        """Tell whether `init` has been here."""
        return (self.directory / "roster.json").is_file()

    def roster(self) -> Roster:
        """Read who may sign.

        Raises:
            DraftRefused: no workspace here.
            ListMalformed, KeyRefused: the file is not of the expected form.
        """
        if not self.exists():
            raise DraftRefused("there is no list here yet; begin with `trust-list init`")
        value = members(parse_object(self._read("roster.json"), max_bytes=_MAX_FILE_BYTES), "roster", _ROSTER, _LOG)
        officers = sequence(value["Officers"], "Officers", _parse_officer, most=100)
        thresholds = members(value["SectionThresholds"], "SectionThresholds", frozenset(), frozenset(Region))
        return Roster(
            officers,
            public_key(_pem(value["OnlineKey"], "OnlineKey")),
            {Region(name): number(count, "SectionThresholds", most=100) for name, count in thresholds.items()},
            parse_log_keys(value["Log"]) if "Log" in value else None,
        )

    def save_roster(self, roster: Roster, pems: Mapping[str, str]) -> None:
        """Write who may sign; `pems` gives each key's PEM by key id."""
        value: dict[str, object] = {
            "Officers": [
                {"Region": officer.region.value, "Name": officer.name, "PublicKey": pems[officer.key.keyid]}
                for officer in roster.officers
            ],
            "SectionThresholds": {region.value: count for region, count in roster.section_thresholds.items()},
            "OnlineKey": pems[roster.online.keyid],
        }
        if roster.log is not None:
            value["Log"] = roster.log.to_json()
        self._write("roster.json", write_object(value))

    def roster_pems(self) -> dict[str, str]:
        """Return every key of the roster as PEM, by key id."""
        value: dict[str, Any] = json.loads(self._read("roster.json"))
        pems = [*(officer["PublicKey"] for officer in value["Officers"]), value["OnlineKey"]]
        return {public_key(pem).keyid: pem for pem in pems}

    # --- draft ---------------------------------------------------------------------------------------------------------

    def draft(self) -> Draft:
        """Read the draft."""
        scheme = parse_scheme(self._read("draft/scheme.json"))
        sections = {region: parse_region_list(self._read(f"draft/{region.value}.json")) for region in Region}
        return Draft(scheme, MappingProxyType(sections))

    def save_draft(self, draft: Draft) -> None:
        """Write the draft; what waited for signatures was for another one and is dropped."""
        self._write("draft/scheme.json", write_readable_scheme(draft.scheme))
        for region, section in draft.sections.items():
            self._write(f"draft/{region.value}.json", write_readable(section))

    # --- published -----------------------------------------------------------------------------------------------------

    def first_root(self) -> bytes | None:
        """Return the root that readers pin, None before the first publication."""
        path = self.published_directory / metadata_name("root", 1)
        return path.read_bytes() if path.is_file() else None

    def published(self, at: datetime) -> Published | None:
        """Return the version that stands, verified again; None before the first."""
        root = self.first_root()
        if root is None or not is_published(self.published_directory):
            return None
        return reopen(read_bundle(self.published_directory, root), root, at)

    def publish(self, published: Published, *, step: Step = no_step) -> None:
        """Make a version public: all or nothing for readers; then begin the next draft from it.

        Killed anywhere in it, the same call does the rest: what is staged and sealed goes last.
        """
        if self.first_root() is None:
            write_atomically(self.published_directory / metadata_name("root", 1), published.root)
        log, note = self.log()
        files = log.files(note) if note else {}
        write_bundle(self.published_directory, published.bundle, log_files=files, step=step)
        self.clear_staged()
        self.save_draft(draft_of(published.snapshot))

    # --- staged --------------------------------------------------------------------------------------------------------

    def staged(self) -> StagedFiles | None:
        """Return what waits for signatures, None when nothing was staged or the draft or roster changed since."""
        marker = self.directory / "staged" / "of"
        if not marker.is_file() or marker.read_text("ascii").strip() != self._fingerprint():
            return None
        metadata = {role: data for role in ROLES if (data := self._read_optional(f"staged/{role}.json")) is not None}
        documents = {
            path: data for path in TARGET_PATHS if (data := self._read_optional(f"staged/documents/{path}")) is not None
        }
        return StagedFiles(self._read_optional("staged/root.json"), Staged(metadata, documents))

    def save_staged(self, staged: StagedFiles) -> None:
        """Write what waits for signatures."""
        self.clear_staged()
        for path, data in staged.roles.documents.items():
            self._write(f"staged/documents/{path}", data)
        for role, data in staged.roles.metadata.items():
            self._write(f"staged/{role}.json", data)
        if staged.root is not None:
            self._write("staged/root.json", staged.root)
        self._write("staged/of", self._fingerprint().encode("ascii"))

    def clear_staged(self) -> None:
        """Forget what waits for signatures and witnesses."""
        shutil.rmtree(self.directory / "sealed", ignore_errors=True)
        shutil.rmtree(self.directory / "staged", ignore_errors=True)

    def _fingerprint(self) -> str:
        """Name the draft and roster that a staging was made of."""
        names = ["roster.json", "draft/scheme.json", *(f"draft/{region.value}.json" for region in Region)]
        digest = hashlib.sha256()
        for name in names:
            digest.update(hashlib.sha256(self._read(name)).digest())
        return digest.hexdigest()

    # --- log and sealed version ----------------------------------------------------------------------------------------

    def log(self) -> tuple[ListLog, bytes]:
        """Return the log, also what is logged and not published yet, with its newest checkpoint's note."""
        return read_log(self.directory if (self.directory / CHECKPOINT_NAME).is_file() else self.published_directory)

    def save_log(self, log: ListLog, note: bytes, *, step: Step = no_step) -> None:
        """Write the log before it is public; what was logged is never forgotten, published or not."""
        for name, data in log.files(note).items():
            write_atomically(self.directory / name, data, step=step)

    def sealed(self) -> bytes | None:
        """Return the sealed snapshot that waits for witnesses, None when it was sealed for another staging."""
        marker = self._read_optional("sealed/of")
        return self._read_optional("sealed/snapshot.json") if marker == self._staging().encode("ascii") else None

    def save_sealed(self, snapshot: bytes, *, step: Step = no_step) -> None:
        """Write the sealed snapshot."""
        write_atomically(self.directory / "sealed/snapshot.json", snapshot, step=step)
        write_atomically(self.directory / "sealed/of", self._staging().encode("ascii"), step=step)

    def _staging(self) -> str:
        """Name what was sealed: the staged files, and the version that they follow."""
        digest = hashlib.sha256(self._read_optional("published/metadata/timestamp.json") or b"")
        for name in ("root", *ROLES):
            digest.update(hashlib.sha256(self._read_optional(f"staged/{name}.json") or b"").digest())
        return digest.hexdigest()

    # --- files ---------------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> bytes:
        data = self._read_optional(name)
        if data is None:
            raise DraftRefused(f"{name} is missing from the workspace")
        return data

    def _read_optional(self, name: str) -> bytes | None:
        try:
            with (self.directory / name).open("rb") as file:
                return file.read(_MAX_FILE_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ListStorageFailed(f"{name} cannot be read") from error

    def _write(self, name: str, data: bytes) -> None:
        write_atomically(self.directory / name, data)


def _parse_officer(value: object, where: str) -> Officer:
    entry = members(value, where, _OFFICER)
    if entry["Region"] not in list(Region):
        raise DraftRefused(f"{where}: a region is hk, mo or gd")
    region, name = Region(entry["Region"]), text(entry["Name"], f"{where}.Name", most=64)
    return Officer(region, name, public_key(_pem(entry["PublicKey"], where), region, name))


def _pem(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise DraftRefused(f"{where}: not a public key in PEM")
    return value


def with_officer(roster: Roster, officer: Officer) -> Roster:
    """Return the roster with one officer more.

    Raises:
        DraftRefused: the key is known already.
    """
    if officer.key.keyid in {known.key.keyid for known in roster.officers} | {roster.online.keyid}:
        raise DraftRefused("that key is on the roster already")
    return replace(roster, officers=(*roster.officers, officer))


def without_officer(roster: Roster, region: Region, name: str) -> Roster:
    """Return the roster without an officer.

    Raises:
        DraftRefused: no such officer, or the last one of the region.
    """
    left = tuple(officer for officer in roster.officers if (officer.region, officer.name) != (region, name))
    if left == roster.officers or not any(officer.region is region for officer in left):
        raise DraftRefused("there is no such officer, or it is the region's last one")
    return replace(roster, officers=left)
