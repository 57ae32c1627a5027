"""A small real PKI and three operators for the tests of the trust list: everything is signed, nothing is stubbed."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import pytest
from asn1crypto import core, keys, x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata

from sandbox.operators import Operators
from sandbox.operators_scheme import ServiceDraft, founding_draft
from trust_lists import asn1_oids
from trust_lists.acceptance import accept
from trust_lists.bundle import ListBundle
from trust_lists.config import PublicationPolicy
from trust_lists.drafting import set_status
from trust_lists.errors import TrustListError
from trust_lists.list_log import Notary, log_keys
from trust_lists.model import ServiceStatus, ServiceType, TrustService
from trust_lists.publication import (
    Draft,
    Published,
    Staged,
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
from trust_lists.sm2 import SM2PrivateKey
from trust_lists.snapshot import Snapshot
from trust_lists.vocabulary import Region

START = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)
HK_POLICY = "2.16.344.8.2.2008.810.2.2018.1.1"
HK_PREFIX = "2.16.344.8.2.2008.810.2"
MO_PREFIX = "2.999.446.1"
GD_PREFIX = "2.999.156.1"


@dataclass
class Ticker:
    """A clock that a test moves by hand; each reading is a microsecond later than the one before."""

    now: datetime = START

    def __call__(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def forward(self, **duration: float) -> datetime:
        self.now += timedelta(**duration)
        return self.now


@dataclass(frozen=True)
class Ca:
    """A self-signed CA with its key."""

    name: str
    key: object = field(repr=False)
    certificate: bytes = field(repr=False)


def spki_of(key: object) -> bytes:
    if isinstance(key, SM2PrivateKey):
        return key.spki()
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def new_key(kind: str) -> object:
    if kind == "sm2":
        return SM2PrivateKey.generate()
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa") or "2048"))


def sign_with(key: object, data: bytes) -> tuple[str, bytes]:
    if isinstance(key, SM2PrivateKey):
        return asn1_oids.SM2_WITH_SM3, key.sign(data)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return asn1_oids.ECDSA_SHA256, key.sign(data, ec.ECDSA(hashes.SHA256()))
    return asn1_oids.RSA_SHA256, key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def make_certificate(
    subject: str,
    subject_key: object,
    issuer: str,
    issuer_key: object,
    *,
    ca: bool = False,
    policies: tuple[str, ...] = (),
    key_usage: frozenset[str] = frozenset({"digital_signature", "non_repudiation"}),
    serial: int = 4711,
    at: datetime = START,
) -> bytes:
    """Sign a version 3 certificate with whatever kind of key the issuer has."""
    algorithm = sign_with(issuer_key, b"")[0]
    parameters = core.Null() if algorithm == asn1_oids.RSA_SHA256 else None
    identifier = {"algorithm": algorithm, "parameters": parameters} if parameters else {"algorithm": algorithm}
    usage = frozenset({"key_cert_sign", "crl_sign"}) if ca else key_usage
    extensions = [
        {"extn_id": "basic_constraints", "critical": True, "extn_value": x509.BasicConstraints({"ca": ca})},
        {"extn_id": "key_usage", "critical": True, "extn_value": x509.KeyUsage(set(usage))},
    ]
    if policies:
        extensions.append(
            {
                "extn_id": "certificate_policies",
                "critical": False,
                "extn_value": x509.CertificatePolicies([{"policy_identifier": policy} for policy in policies]),
            }
        )
    tbs = x509.TbsCertificate(
        {
            "version": "v3",
            "serial_number": serial,
            "signature": identifier,
            "issuer": x509.Name.build({"common_name": issuer}),
            "validity": {
                "not_before": x509.Time({"utc_time": at - timedelta(hours=1)}),
                "not_after": x509.Time({"utc_time": at + timedelta(days=3650)}),
            },
            "subject": x509.Name.build({"common_name": subject}),
            "subject_public_key_info": keys.PublicKeyInfo.load(spki_of(subject_key)),
            "extensions": extensions,
        }
    )
    return x509.Certificate(
        {
            "tbs_certificate": tbs,
            "signature_algorithm": identifier,
            "signature_value": sign_with(issuer_key, tbs.dump())[1],
        }
    ).dump()


def authority(name: str, kind: str = "p256") -> Ca:
    """A CA that is made once in a test run."""
    return _authority(name, kind)


@lru_cache
def _authority(name: str, kind: str) -> Ca:
    key = new_key(kind)
    return Ca(name, key, make_certificate(name, key, name, key, ca=True))


def person(ca: Ca, policy: str | None, **more: object) -> bytes:
    """An end-entity certificate under the CA."""
    return make_certificate("A Person", new_key("p256"), ca.name, ca.key, policies=(policy,) if policy else (), **more)


def drafts() -> tuple[ServiceDraft, ...]:
    """The listed services that most tests want: one CA in each region, a second in Guangdong with SM2, a TSA."""
    return (
        ServiceDraft("hk-rsa", Region.HK, "HK CA", "HK Post", authority("HK CA", "rsa").certificate,
                     certificate_type="e-Cert (Personal) with Mutual Recognition Status", policy_oid_prefix=HK_PREFIX),
        ServiceDraft("mo-p256", Region.MO, "MO CA", "MO Post", authority("MO CA").certificate,
                     certificate_type="Qualified", policy_oid_prefix=MO_PREFIX),
        ServiceDraft("gd-rsa", Region.GD, "GD CA", "GD CA Ltd", authority("GD CA", "rsa").certificate,
                     certificate_type="Personal", policy_oid_prefix=GD_PREFIX),
        ServiceDraft("gd-sm2", Region.GD, "GD SM2 CA", "GD CA Ltd", authority("GD SM2 CA", "sm2").certificate,
                     certificate_type="Personal SM2", policy_oid_prefix=GD_PREFIX),
        ServiceDraft("hk-tsa", Region.HK, "HK TSA", "HK Post", authority("HK TSA").certificate, ServiceType.TSA),
    )  # fmt: skip


def operators(directory: Path, clock: Ticker | None = None) -> Operators:
    """Operators who have published the first list."""
    made = Operators(directory, clock or Ticker())
    made.publish_first(drafts())
    return made


class Offices:
    """The three offices without a disk: make a version, well or badly signed, and put it to the gate."""

    def __init__(self, services: tuple[ServiceDraft, ...] | None = None) -> None:
        self.clock = Ticker()
        self.policy = PublicationPolicy()
        self.signers = {region: generate_key() for region in Region}
        self.online = generate_key("p256")
        log_signer, witnesses = generate_key(), {region: generate_key() for region in Region}
        self.notary = Notary(log_keys(log_signer, witnesses), log_signer, witnesses)
        self.roster = Roster(
            tuple(
                Officer(region, "officer", public_key(public_pem(signer), region, "officer"))
                for region, signer in self.signers.items()
            ),
            public_key(public_pem(self.online)),
            log=self.notary.keys,
        )
        self.root = self.sign_root(stage_root(self.roster, None, self.clock(), self.policy), (Region.HK, Region.MO))
        self.published: Published | None = None
        first = founding_draft(drafts() if services is None else services, self.clock.now - timedelta(hours=1))
        self.first = self.publish(first)

    def sign_root(self, root: bytes, regions: tuple[Region, ...]) -> bytes:
        for region in regions:
            root = add_signature(root, self.signers[region])
        return root

    def draft(self) -> Draft:
        return draft_of(self.published.snapshot)

    def staged(
        self, draft: Draft, joint: tuple[Region, ...] = (Region.HK, Region.GD), at: datetime | None = None
    ) -> Staged:
        """Stage a draft and sign every role as it should be, the joint one by the regions named."""
        staged = stage(draft, self.roster, self.published, at or self.clock(), self.policy)
        for role in roles_touched(staged):
            for region in joint if role == "targets" else (Region(role),):
                staged = sign_role(staged, role, self.signers[region], allowed_signers(role, self.roster))
        return staged

    def bundle(self, staged: Staged | None = None, *, at: datetime | None = None, **more: object) -> ListBundle:
        """The next version's bytes, not put to the gate; logged in a log that may say something else to others."""
        return put_together(staged or Staged({}, {}), self.published, more.get("online", self.online), at or self.clock(),
                            more.get("policy", self.policy), log=more.get("log", self.notary.fork()))  # fmt: skip

    def publish(self, draft: Draft) -> Published:
        """A good next version."""
        at = self.clock()
        staged = self.staged(draft, at=at)
        self.published = assemble(
            staged, self.published, self.root, self.online, self.clock(), self.policy, log=self.notary
        )
        return self.published

    def set_status(self, service_id: str, status: ServiceStatus) -> Published:
        return self.publish(set_status(self.draft(), service_id, status, self.clock()))

    def accept(self, bundle: ListBundle, previous: Published | None = None, at: datetime | None = None) -> Snapshot:
        """Put bytes to the gate as a reader that has accepted `previous` (nobody: None)."""
        return accept(bundle, self.root, previous.snapshot if previous else None, at or self.clock())

    def resign(self, metadata: bytes, *signers: CryptoSigner) -> bytes:
        """Replace all signatures of a metadata file."""
        parsed = Metadata.from_bytes(metadata)
        parsed.signatures.clear()
        data = parsed.to_bytes()
        for signer in signers:
            data = add_signature(data, signer)
        return data

    def sections(self, draft: Draft, region: Region, edit: Callable[[TrustService], TrustService | None]) -> Draft:
        """Edit the services of a region's section by hand; None drops one."""
        section = draft.sections[region]
        providers = tuple(
            replace(provider, services=tuple(new for old in provider.services if (new := edit(old)) is not None))
            for provider in section.providers
        )
        return draft.with_section(replace(section, providers=providers))


def refusal(call: Callable[..., object], *arguments: object, **more: object) -> str:
    """The code with which a call refuses; fails the test when it does not."""
    with pytest.raises(TrustListError) as caught:
        call(*arguments, **more)
    return caught.value.code
