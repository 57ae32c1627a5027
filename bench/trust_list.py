"""Figures of the trust list: cold accept, warm restart, look-up, one changed service; pyHanko beside it. Prints; asserts nothing.

python -m bench.trust_list [SERVICES …]
"""

import asyncio
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyhanko.sign.validation.qualified import eutl_parse

from trust_lists.acceptance import accept
from trust_lists.certificates import certificate_key_hash
from trust_lists.client import TrustListClient
from trust_lists.collector import collector_paused
from trust_lists.config import PublicationPolicy
from trust_lists.drafting import set_status
from trust_lists.founding import founding_draft
from trust_lists.list_log import Notary, log_keys
from trust_lists.model import (
    Admission,
    CertificateType,
    LocalText,
    ServiceStatus,
    ServiceType,
    StatusPeriod,
    TrustService,
    TrustServiceProvider,
)
from trust_lists.publication import (
    Draft,
    Published,
    allowed_signers,
    assemble,
    draft_of,
    put_together,
    roles_touched,
    sign_role,
    stage,
    stage_root,
)
from trust_lists.repository import Officer, Roster, add_signature
from trust_lists.signers import generate_key, public_key, public_pem
from trust_lists.snapshot import Snapshot
from trust_lists.store import read_bundle, write_bundle
from trust_lists.vocabulary import Region
from trust_lists.xml_export import Publication, export_region
from trust_lists.xml_signature import self_made, sign_list

START = datetime(2026, 11, 1, tzinfo=UTC)
POLICY = PublicationPolicy()
PERIODS = 5


def _template() -> tuple[bytes, bytes]:
    """A certificate, and the bytes of its public point, to be replaced: making 10,000 key pairs is not what is measured."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Example CA")])
    builder = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    )
    certificate = (
        builder.not_valid_before(START).not_valid_after(START + timedelta(days=3650)).sign(key, hashes.SHA256())
    )
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return certificate.public_bytes(Encoding.DER), point[1:]


def _draft(count: int) -> Draft:
    certificate, point = _template()
    draft = founding_draft(START)
    services: dict[Region, list[TrustService]] = {region: [] for region in Region}
    admissions = []
    for number in range(count):
        region = tuple(Region)[number % 3]
        der = certificate.replace(point, hashlib.sha512(str(number).encode()).digest())
        periods = tuple(
            StatusPeriod(
                (ServiceStatus.GRANTED, ServiceStatus.SUSPENDED)[n % 2],
                START - timedelta(days=PERIODS - n, seconds=number),  # no two services change in one instant
            )
            for n in range(PERIODS)
        )
        service = TrustService(f"{region.value}-{number}", region, "Example", ServiceType.CA_QC, (LocalText("en", f"CA {number}"),),
                               (der,), certificate_key_hash(der), periods)  # fmt: skip
        services[region].append(service)
        kind = CertificateType("Personal", f"2.999.{number}", ("mainland",), START - timedelta(days=9))
        admissions.append(Admission(region, service.id, service.key_sha256, START - timedelta(days=9), None, (kind,)))
    sections = {}
    for region, section in draft.sections.items():
        provider = TrustServiceProvider((LocalText("en", "Example"),), "https://example.test/", tuple(services[region]))
        sections[region] = replace(section, providers=(provider,))
    return Draft(replace(draft.scheme, admissions=tuple(admissions)), MappingProxyType(sections))


class Publisher:
    """Three officers and an online key."""

    def __init__(self) -> None:
        self.signers = {region: generate_key() for region in Region}
        self.online = generate_key()
        officers = tuple(Officer(r, "o", public_key(public_pem(s), r, "o")) for r, s in self.signers.items())
        log_signer, witnesses = generate_key(), {region: generate_key() for region in Region}
        self.notary = Notary(log_keys(log_signer, witnesses), log_signer, witnesses)
        self.roster = Roster(officers, public_key(public_pem(self.online)), log=self.notary.keys)
        self.root = stage_root(self.roster, None, START, POLICY)
        for region in Region:
            self.root = add_signature(self.root, self.signers[region])

    def publish(self, draft: Draft, published: Published | None, at: datetime) -> Published:
        staged = stage(draft, self.roster, published, at, POLICY)
        for role in roles_touched(staged):
            for region in Region if role == "targets" else (Region(role),):
                staged = sign_role(staged, role, self.signers[region], allowed_signers(role, self.roster))
        if published is not None:
            return replace(published, bundle=put_together(staged, published, self.online, at, POLICY, log=self.notary))
        return assemble(staged, None, self.root, self.online, at, POLICY, log=self.notary)


def prepare(folder: Path, count: int) -> None:
    """Write what is measured: version 1, an update that changes one service, and the same content as TS 119 612 XML."""
    publisher, at = Publisher(), START + timedelta(minutes=1)
    first = publisher.publish(_draft(count), None, START)
    changed = set_status(draft_of(first.snapshot), "hk-0", ServiceStatus.WITHDRAWN, at)
    second = publisher.publish(changed, first, at + timedelta(seconds=1))
    (folder / "root.json").write_bytes(publisher.root)
    write_bundle(folder / "first", first.bundle)
    for bundle in (first.bundle, second.bundle):
        log = publisher.notary.log
        write_bundle(folder / "second", bundle, log_files=log.files(publisher.notary.note))
    asyncio.run(_keep_copy(folder))
    signer = self_made(ec.generate_private_key(ec.SECP256R1()), "Example", "XX", START)
    (folder / "signer.der").write_bytes(signer.der)
    for region in Region:
        tree = export_region(first.snapshot.sections[region], first.snapshot.scheme, Publication())
        (folder / f"{region.value}.xml").write_bytes(sign_list(tree, signer, START))


async def _keep_copy(folder: Path) -> None:
    """A reader accepts version 1 and leaves its copy."""
    client = TrustListClient(folder / "first", folder / "copy", (folder / "root.json").read_bytes(), lambda: NOW)
    await client.refresh()


NOW = START + timedelta(minutes=2)


def _accept(folder: Path, previous: Snapshot | None = None) -> Snapshot:
    root = (folder / "root.json").read_bytes()
    size = previous.envelope.logged.checkpoint.size if previous else 0
    bundle = read_bundle(folder / ("second" if previous else "first"), root, size)
    with collector_paused():
        return accept(bundle, root, previous, NOW)


def cold(folder: Path) -> dict[str, float]:
    """Read the files and accept them, from nothing."""
    return _spent(lambda: _accept(folder))


def update(folder: Path) -> dict[str, float]:
    """Read and accept a version in which one service changed."""
    held = _accept(folder)
    return _spent(lambda: _accept(folder, held))


def warm(folder: Path) -> dict[str, float]:
    """Start a reader on its copy, up to the first answer."""
    root, der = (folder / "root.json").read_bytes(), _some_certificate(folder)
    found: list[TrustService | None] = []

    def restart() -> None:
        client = TrustListClient(folder / "nowhere", folder / "copy", root, lambda: NOW)
        asyncio.run(client.load())
        found.append(client.current().service_for(der))

    spent = _spent(restart)
    assert found[0] is not None
    return spent


def look_up(folder: Path) -> dict[str, float]:
    """Ask for the service of a certificate, 20,000 times; per call."""
    snapshot = _accept(folder)
    certificates = [service.certificates[0] for service in snapshot.services[:1000]]
    spent = _spent(lambda: [snapshot.service_for(c) for _ in range(20) for c in certificates])
    return {name: value / 20 / len(certificates) for name, value in spent.items()}


def pyhanko(folder: Path) -> dict[str, float]:
    """pyHanko reads the same content as XML: signature, then parsing into its registry."""
    certificate = asn1_x509.Certificate.load((folder / "signer.der").read_bytes())

    def read() -> None:
        registry = None
        for region in Region:
            text = (folder / f"{region.value}.xml").read_text()
            signed = eutl_parse._validate_and_extract_tl_data(text, certificate, NOW)
            registry, errors = eutl_parse.trust_list_to_registry_unsafe(signed, registry)
            assert not errors

    return _spent(read)


def pyhanko_unverified(folder: Path) -> dict[str, float]:
    """The same without checking the signature."""

    def read() -> None:
        registry = None
        for region in Region:
            registry, _ = eutl_parse.trust_list_to_registry_unsafe(
                (folder / f"{region.value}.xml").read_text(), registry
            )

    return _spent(read)


def _some_certificate(folder: Path) -> bytes:
    path = next((folder / "first" / "targets" / "mo").iterdir())
    line = path.read_bytes().split(b"\n")[40].rstrip(b",")
    return base64.b64decode(
        json.loads(line)["ServiceInformation"]["ServiceDigitalIdentity"]["X509Certificates"][0]["val"]
    )


def _spent(work: Callable[[], object]) -> dict[str, float]:
    before = _peak()
    wall, cpu = time.perf_counter(), time.process_time()
    kept = work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    del kept
    return {"cpu": cpu, "wall": wall, "peak_mib": _peak(), "base_mib": before}


def _peak() -> float:
    """Return the most memory that this program has held, in MiB; unlike ru_maxrss it does not count who started it."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


MEASURES = {m.__name__: m for m in (cold, update, warm, look_up, pyhanko, pyhanko_unverified)}


def _in_a_child(measure: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.trust_list", "--measure", measure, str(folder)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def report(count: int, rounds: int = 3) -> None:
    """Measure each thing in processes of its own, in turn, and keep the best round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, count)
        rows = [{m: _in_a_child(m, folder) for m in MEASURES} for _ in range(rounds)]
    best = {m: {k: min(row[m][k] for row in rows) for k in rows[0][m]} for m in MEASURES}
    print(f"{count} services, {PERIODS} status periods each; best of {rounds}, each in a process of its own")
    for what, measure in (("cold accept, files read", "cold"), ("update of one service", "update"), ("warm restart from the copy", "warm"),
                          ("pyHanko, XML with its signature", "pyhanko"), ("pyHanko, XML unverified", "pyhanko_unverified")):  # fmt: skip
        row = best[measure]
        print(
            f"  {what:<36}{row['cpu'] * 1000:9.1f} ms CPU {row['wall'] * 1000:9.1f} ms, peak {row['peak_mib']:6.1f} MiB"
        )
    print(f"  {'service_for':<36}{best['look_up']['cpu'] * 1e6:9.1f} µs CPU")
    paired = sorted(row["pyhanko"]["cpu"] / row["cold"]["cpu"] for row in rows)
    alone = sorted(row["pyhanko_unverified"]["cpu"] / row["cold"]["cpu"] for row in rows)
    middle = rounds // 2
    print(
        f"  pyHanko / ours, paired, CPU: {paired[middle]:.1f} times with its signature, {alone[middle]:.1f} times without"
    )


def main() -> None:
    """Run one measure, or report on the sizes named."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(MEASURES[sys.argv[2]](Path(sys.argv[3]))))
        return
    for size in [int(argument) for argument in sys.argv[1:]] or [1_000, 10_000]:
        report(size)


if __name__ == "__main__":
    main()
