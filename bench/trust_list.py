"""Figures of the trust list: cold accept, warm restart, look-up, one changed service. Prints; asserts nothing.

python -m bench.trust_list [SERVICES …]
"""

import asyncio
import hashlib
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from trust_lists.acceptance import accept
from trust_lists.certificates import certificate_key_hash
from trust_lists.client import TrustListClient
from trust_lists.config import PublicationPolicy
from trust_lists.drafting import set_status
from trust_lists.founding import founding_draft
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
from trust_lists.store import read_bundle, write_bundle
from trust_lists.vocabulary import Region

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
            StatusPeriod((ServiceStatus.GRANTED, ServiceStatus.SUSPENDED)[n % 2], START - timedelta(days=PERIODS - n))
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
        self.roster = Roster(officers, public_key(public_pem(self.online)))
        self.root = stage_root(self.roster, None, START, POLICY)
        for region in Region:
            self.root = add_signature(self.root, self.signers[region])

    def publish(self, draft: Draft, published: Published | None, at: datetime) -> Published:
        staged = stage(draft, self.roster, published, at, POLICY)
        for role in roles_touched(staged):
            for region in Region if role == "targets" else (Region(role),):
                staged = sign_role(staged, role, self.signers[region], allowed_signers(role, self.roster))
        if published is not None:
            return replace(published, bundle=put_together(staged, published, self.online, at, POLICY))
        return assemble(staged, None, self.root, self.online, at, POLICY)


def _timed(what: str, work: Callable[[], object], repeat: int = 3) -> None:
    best = min(_once(work) for _ in range(repeat))
    print(f"  {what:<42}{best * 1000:10.1f} ms")


def _once(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(count: int) -> None:
    """Measure with this many services."""
    publisher = Publisher()
    at = START + timedelta(minutes=1)
    first = publisher.publish(_draft(count), None, START)
    second = publisher.publish(
        set_status(draft_of(first.snapshot), "hk-0", ServiceStatus.WITHDRAWN, at), first, at + timedelta(seconds=1)
    )
    size = sum(map(len, first.bundle.documents.values()))
    print(f"{count} services, {PERIODS} status periods each, {size / 1e6:.1f} MB")
    later = at + timedelta(seconds=2)
    _timed("cold accept", lambda: accept(first.bundle, publisher.root, None, at))
    _timed("update of one service", lambda: accept(second.bundle, publisher.root, first.snapshot, later))
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(Path(folder), first.bundle)
        _timed("read the files", lambda: read_bundle(Path(folder), publisher.root))

        def restart() -> None:
            client = TrustListClient(Path(folder), Path(folder), publisher.root, lambda: at)
            asyncio.run(client.load())

        _timed("warm restart from the copy", restart)
    certificate = first.snapshot.services[count // 2].certificates[0]
    rounds = 20_000
    spent = _once(lambda: [first.snapshot.service_for(certificate) for _ in range(rounds)])
    print(f"  {'service_for':<42}{spent / rounds * 1e6:10.1f} µs")


def main() -> None:
    """Measure each size in a process of its own, so that memory is its own too."""
    sizes = [int(argument) for argument in sys.argv[1:]] or [1_000, 10_000]
    for size in sizes:
        child = os.fork()
        if child == 0:
            measure(size)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(f"  {'peak memory of everything above':<42}{peak / 1024:10.1f} MiB", flush=True)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
