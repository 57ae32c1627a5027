"""The scheme operators of the three regions, simulated: their keys, their ceremonies, their publications, and three faults.

Owns:    what people in three offices would do with `trust-list`, run by one object: `Operators`. It stands outside the wire: readers
         only ever see the served directory.
Leaves:  every rule to `trust_lists`; HTTP to `operators_routes`; the founding scheme to `operators_scheme`; the authorities' certificates
         to `pki` (handed in as drafts).
Rules:   idempotent: a directory that was set up before is loaded. A region's key signs only what that region would sign.
         A fault is served from a scratch copy; the true repository stays as it is.
"""

import shutil
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]  # its public name

from sandbox.operators_scheme import ServiceDraft, founding_draft
from trust_lists.bundle import TIMESTAMP_NAME, metadata_name
from trust_lists.clock import Clock
from trust_lists.config import PublicationPolicy
from trust_lists.drafting import repeal_agreement, set_status
from trust_lists.errors import DraftRefused
from trust_lists.list_log import Notary, log_keys
from trust_lists.model import ServiceStatus
from trust_lists.publication import (
    Draft,
    Published,
    Staged,
    allowed_signers,
    assemble,
    draft_of,
    put_together,
    refresh_timestamp,
    reopen,
    roles_touched,
    sign_role,
    stage,
    stage_root,
)
from trust_lists.repository import Officer, Roster, add_signature
from trust_lists.signers import generate_key, public_key, public_pem, read_private_key, write_private_key
from trust_lists.snapshot import Snapshot
from trust_lists.store import is_published, read_bundle, read_log, write_atomically, write_bundle
from trust_lists.vocabulary import Region
from trust_lists.xml_export import LISTS, xml_name
from trust_lists.xml_publication import export_all
from trust_lists.xml_signature import XmlSigner, load_xml_key, read_xml_certificate, self_made

FAULTS = ("expired", "rolled_back", "one_region")
"""`expired`: properly signed, past its expiry. `rolled_back`: the oldest version again. `one_region`: the joint part signed by one."""

_FIRST_SIGNERS = (Region.HK, Region.GD)
"""Two of the three are enough for what is decided together."""


class Operators:
    """The three offices and their online key, over one directory."""

    def __init__(self, directory: Path, clock: Clock, policy: PublicationPolicy | None = None) -> None:
        """Load the keys and the published version, or hold the key ceremony when the directory is new."""
        self._directory = directory
        self._clock = clock
        self._policy = policy or PublicationPolicy()
        self._lock = threading.RLock()
        self._signers = {region: self._key(f"{region.value}-officer") for region in Region}
        self._online = self._key("online")
        self._notary = self._open_log()
        self._roster = Roster(
            tuple(
                Officer(region, f"{region.value}-officer", public_key(public_pem(signer), region, "officer"))
                for region, signer in self._signers.items()
            ),
            public_key(public_pem(self._online)),
            log=self._notary.keys,
        )
        self._root = self._root_ceremony()
        self._published = self._load()
        self._begin_log()
        self.fault: str | None = None

    def trusted_root(self) -> bytes:
        """Return the first root metadata, which readers pin."""
        return self._root

    # --- what readers see ----------------------------------------------------------------------------------------------

    @property
    def repository(self) -> Path:
        """The true published directory."""
        return self._directory / "published"

    @property
    def served(self) -> Path:
        """The directory that readers see now: the true one, or a fault's."""
        return self._directory / "faults" / self.fault if self.fault else self.repository

    @property
    def snapshot(self) -> Snapshot | None:
        """What the true list says, None before the first publication."""
        return self._published.snapshot if self._published else None

    # --- what the offices do -------------------------------------------------------------------------------------------

    def publish_first(self, services: Sequence[ServiceDraft]) -> Snapshot:
        """Publish the first list with these services, admitted and granted; nothing happens when one is published already."""
        with self._lock:
            if self._published is None:
                at = self._clock()
                # The first list says since when what it lists has stood; an hour covers certificates and timestamps made just before.
                self._publish(founding_draft(services, at - timedelta(hours=1)), at)
                self.refresh_timestamp()  # so that from the start there is an older version to roll back to
            return self._current().snapshot

    def set_status(self, service_id: str, status: ServiceStatus | str, at: datetime | None = None) -> Snapshot:
        """Publish a new status of a service, signed by its own region alone.

        Args:
            service_id: a listed service.
            status: a status, or its word: `granted`, `withdrawn`, `suspended`.
            at: from when; the present by default, and never before the version that stands.

        Raises:
            DraftRefused: no such service or status, or it has that status already.
        """
        with self._lock:
            current = self._current()
            moment = at or self._clock()
            draft = set_status(draft_of(current.snapshot), service_id, parse_status(status), moment)
            return self._publish(draft, moment)

    def repeal_agreement(self, agreement_id: str, at: datetime | None = None) -> Snapshot:
        """Publish the end of an agreement, signed by two regions."""
        with self._lock:
            moment = at or self._clock()
            return self._publish(repeal_agreement(draft_of(self._current().snapshot), agreement_id, moment), moment)

    def refresh_timestamp(self) -> Snapshot:
        """Vouch anew that there is nothing newer."""
        with self._lock:
            current, at = self._current(), self._clock()
            self._write(refresh_timestamp(current, self._online, at, self._policy, log=self._notary))
            return self._current().snapshot

    def keep_fresh(self) -> None:
        """Refresh the timestamp when half of its life is over; called whenever a reader comes."""
        with self._lock:
            published = self._published
            if published and published.snapshot.fresh_until - self._clock() < self._policy.timestamp_lifetime / 2:
                self.refresh_timestamp()

    # --- faults --------------------------------------------------------------------------------------------------------

    def set_fault(self, name: str | None) -> None:
        """Serve a faulty copy from now on, or the true list again with None.

        Raises:
            DraftRefused: an unknown fault, or nothing is published yet.
        """
        with self._lock:
            if name is None:
                self.fault = None
                return
            if name not in FAULTS:
                raise DraftRefused(f"the faults are {', '.join(FAULTS)}")
            current = self._current()
            scratch = self._directory / "faults" / name
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(self.repository, scratch)
            {"expired": self._expire, "rolled_back": self._roll_back, "one_region": self._sign_alone}[name](
                current, scratch
            )
            self.fault = name

    # --- XML -----------------------------------------------------------------------------------------------------------

    def export_xml(self, base_url: str) -> None:
        """Write the four XML exports of the current version beside it, where they are not there yet."""
        with self._lock:
            snapshot, at = self._current().snapshot, self._clock()
            if (self.repository / xml_name(snapshot.version, LISTS)).is_file():
                return
            signers = {region: self._xml_signer(region.value, at) for region in Region}
            for name, data in export_all(snapshot, signers, self._xml_signer(LISTS, at), base_url, at).items():
                write_atomically(self.repository / name, data)

    def _xml_signer(self, name: str, at: datetime) -> XmlSigner:
        """Return the key and certificate of a region's XML lists."""
        path = self._directory / "keys" / f"{name}-xml.pem"
        if not path.exists():
            write_private_key(path, generate_key("p256"), None)  # a sandbox key: it protects nothing real
        key, beside = load_xml_key(path.read_bytes(), None), path.with_suffix(".crt")
        if not beside.exists():
            made = self_made(key, f"Scheme operator {name} (simulated)", "XX", at)
            write_atomically(beside, made.der)
        return XmlSigner(key, read_xml_certificate(beside.read_bytes()))

    def _expire(self, current: Published, scratch: Path) -> None:
        """Sign the next version as always, but so that its life is over."""
        past = self._clock() - self._policy.snapshot_lifetime - timedelta(seconds=1)
        write_bundle(scratch, put_together(_NOTHING, current, self._online, past, self._policy))

    def _roll_back(self, current: Published, scratch: Path) -> None:
        """Serve the oldest timestamp; everything that it points to is still there, as it is in any consistent repository."""
        oldest = min(self._history().iterdir(), key=lambda path: int(path.name.split(".")[0]))
        write_atomically(scratch / TIMESTAMP_NAME, oldest.read_bytes())

    def _sign_alone(self, current: Published, scratch: Path) -> None:
        """Let one region repeal an agreement without the others."""
        at = self._clock()
        draft = repeal_agreement(draft_of(current.snapshot), current.snapshot.scheme.agreements[0].id, at)
        staged = stage(draft, self._roster, current, at, self._policy)
        staged = sign_role(staged, "targets", self._signers[Region.HK], allowed_signers("targets", self._roster))
        write_bundle(scratch, put_together(staged, current, self._online, at, self._policy))

    # --- ceremonies and files ------------------------------------------------------------------------------------------

    def _key(self, name: str) -> CryptoSigner:
        path = self._directory / "keys" / f"{name}.pem"
        if not path.exists():
            write_private_key(path, generate_key(), None)  # a sandbox key: it protects nothing real
        return read_private_key(path, None)

    def _open_log(self) -> Notary:
        """Open the transparency log as it was published, with the three regions' witnesses."""
        log_signer = self._key("log")
        witnesses = {region: self._key(f"{region.value}-witness") for region in Region}
        return Notary(log_keys(log_signer, witnesses), log_signer, witnesses, *read_log(self.repository))

    def _begin_log(self) -> None:
        """Give a list from before there was a log its log: a new root names it, and the same content becomes its first leaf."""
        published = self._published
        if published is None or published.snapshot.envelope.logged is not None:
            return
        at = self._clock()
        root = stage_root(self._roster, published.root, at, self._policy)
        for region in _FIRST_SIGNERS:
            root = add_signature(root, self._signers[region])
        self._write(
            assemble(
                _NOTHING, published, published.root, self._online, at, self._policy, log=self._notary, new_roots=(root,)
            )
        )

    def _root_ceremony(self) -> bytes:
        path = self._directory / "root.json"
        if not path.exists():
            root = stage_root(self._roster, None, self._clock(), self._policy)
            for region in _FIRST_SIGNERS:
                root = add_signature(root, self._signers[region])
            write_atomically(path, root)
        return path.read_bytes()

    def _load(self) -> Published | None:
        if not is_published(self.repository):
            return None
        return reopen(read_bundle(self.repository, self._root), self._root, self._clock())

    def _current(self) -> Published:
        if self._published is None:
            raise DraftRefused("no list is published yet")
        return self._published

    def _publish(self, draft: Draft, at: datetime) -> Snapshot:
        staged = stage(draft, self._roster, self._published, at, self._policy)
        for role in roles_touched(staged):
            for region in _FIRST_SIGNERS if role == "targets" else (Region(role),):
                staged = sign_role(staged, role, self._signers[region], allowed_signers(role, self._roster))
        root = self._published.root if self._published else self._root
        self._write(assemble(staged, self._published, root, self._online, at, self._policy, log=self._notary))
        return self._current().snapshot

    def _write(self, published: Published) -> None:
        write_atomically(self.repository / metadata_name("root", 1), self._root)  # the one that readers pin
        write_bundle(self.repository, published.bundle, log_files=self._notary.log.files(self._notary.note))
        number = len(list(self._history().iterdir())) + 1
        write_atomically(self._history() / f"{number}.timestamp.json", published.bundle.timestamp)
        self._published = published

    def _history(self) -> Path:
        path = self._directory / "timestamps"
        path.mkdir(parents=True, exist_ok=True)
        return path


_NOTHING = Staged({}, {})


def parse_status(status: ServiceStatus | str) -> ServiceStatus:
    """Return the status that a word names.

    Raises:
        DraftRefused: no such word.
    """
    if isinstance(status, ServiceStatus):
        return status
    found = next((known for known in ServiceStatus if known.word == status), None)
    if found is None:
        raise DraftRefused("a status is granted, withdrawn or suspended")
    return found
