"""The sandbox's authorities, joined: who issues, who revokes, who answers.

Owns:    `build_pki`, `SandboxPki`, `Authority`. Leaves encoding, keys and files to their modules.
Rules:   everything is valid at `at`: certificates begin one hour before; a second build in the same directory finds the first.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from asn1crypto import x509

from sandbox.personas import Persona
from sandbox.pki import profiles, status, timestamping
from sandbox.pki.certificates import (
    Issuer,
    RevokedEntry,
    StatusUrls,
    Validity,
    build_ca_certificate,
    build_crl,
    build_end_entity_certificate,
)
from sandbox.pki.files import PkiFiles
from sandbox.pki.keys import KeyKind, PrivateKey
from sandbox.pki.profiles import CertificateProfile, Subject
from trust_lists.vocabulary import Region

_BACKDATE = timedelta(hours=1)
_CRL_PERIOD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _AuthoritySpec:
    id: str
    region: Region
    kind: KeyKind
    name: str
    country: str
    policy_oid: str
    certificate_type_name: str


_AUTHORITIES = (
    _AuthoritySpec("hk-rsa", Region.HK, KeyKind.RSA_2048, "Sandbox Hong Kong Recognised CA", "HK",
                   profiles.HK_POLICY_OID, "Sandbox e-Cert (Personal) with Mutual Recognition Status"),
    _AuthoritySpec("mo-p256", Region.MO, KeyKind.P256, "Sandbox Macao Qualified CA", "MO",
                   profiles.MO_POLICY_OID, "Sandbox Qualified Certificate (Personal)"),
    _AuthoritySpec("gd-rsa", Region.GD, KeyKind.RSA_2048, "Sandbox Guangdong CA (RSA)", "CN",
                   profiles.GD_POLICY_OID, "Sandbox Personal Certificate with Mutual Recognition Status"),
    _AuthoritySpec("gd-sm2", Region.GD, KeyKind.SM2, "Sandbox Guangdong CA (SM2)", "CN",
                   profiles.GD_POLICY_OID, "Sandbox Personal Certificate (SM2) with Mutual Recognition Status"),
    _AuthoritySpec("tsa", Region.HK, KeyKind.RSA_2048, "Sandbox Time-Stamping CA", "HK",
                   profiles.TSA_POLICY_OID, "Sandbox Time-Stamping Service"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """An end-entity certificate with its key and its issuer."""

    authority: str
    certificate: bytes
    private_key: PrivateKey
    chain: tuple[bytes, ...]
    """The issuing CA's certificate."""

    @property
    def serial(self) -> int:
        """The serial number."""
        return int(x509.Certificate.load(self.certificate).serial_number)


class Authority:
    """One certification authority with its status services."""

    def __init__(self, spec: _AuthoritySpec, files: PkiFiles, base_url: str, at: datetime) -> None:
        self.id = spec.id
        self.region = spec.region
        self.policy_oid = spec.policy_oid
        self.certificate_type_name = spec.certificate_type_name
        self._files = files
        self.urls = StatusUrls(
            crl=f"{base_url}/pki/{spec.id}/crl",
            ocsp=f"{base_url}/pki/{spec.id}/ocsp",
            ca_issuers=f"{base_url}/pki/{spec.id}/ca.cer",
        )
        pair = files.load_pair("ca") or self._create_ca(spec, at)
        self._issuer = Issuer(x509.Certificate.load(pair[1]).subject, pair[0])
        self.certificate: bytes = pair[1]
        self.key_kind = spec.kind
        self._responder = self._delegate("ocsp", "OCSP Responder", spec, profiles.OCSP_RESPONDER, at)

    def _create_ca(self, spec: _AuthoritySpec, at: datetime) -> tuple[PrivateKey, bytes]:
        key = PrivateKey.generate(spec.kind)
        subject = Subject(spec.name, spec.country, organisation="GBA Trust Sandbox (simulated)")
        certificate = build_ca_certificate(subject, key, Validity(at - _BACKDATE, at + timedelta(days=3650)))
        return self._files.save_pair("ca", key, certificate)

    def _delegate(
        self, name: str, title: str, spec: _AuthoritySpec, profile: CertificateProfile, at: datetime
    ) -> tuple[PrivateKey, bytes]:
        pair = self._files.load_pair(name)
        if pair is None or x509.Certificate.load(pair[1]).not_valid_after <= at + timedelta(days=1):
            subject = Subject(f"{spec.name} {title}", spec.country)
            issued = self.issue(subject, at, profile=profile, policy_oid=None, lifetime=timedelta(days=365))
            self._files.replace_pair(name, issued.private_key, issued.certificate)
            pair = (issued.private_key, issued.certificate)
        return pair

    def issue(
        self,
        subject: Subject,
        at: datetime,
        *,
        profile: CertificateProfile = profiles.SIGNER,
        policy_oid: str | None = "",
        key_kind: KeyKind | None = None,
        lifetime: timedelta = timedelta(days=365),
        not_before: datetime | None = None,
    ) -> IssuedCertificate:
        """Issue an end-entity certificate with a new key.

        Args:
            subject: whom it names.
            at: the moment of issue; valid from one hour before, unless `not_before` says otherwise.
            profile: key usage; a signing certificate by default.
            policy_oid: the empty string means the authority's own, None means no policy at all.
            key_kind: the authority's own kind by default.
            lifetime: from the beginning of validity.
            not_before: beginning of validity.
        """
        key = PrivateKey.generate(key_kind or self.key_kind)
        begin = not_before or at - _BACKDATE
        certificate = build_end_entity_certificate(
            self._issuer,
            subject,
            key.spki,
            Validity(begin, begin + lifetime),
            profile=profile,
            policy_oid=self.policy_oid if policy_oid == "" else policy_oid,
            urls=self.urls,
        )
        issued = IssuedCertificate(self.id, certificate, key, (self.certificate,))
        self._files.save_issued(issued.serial, certificate)
        return issued

    def holder(self, name: str, subject: Subject, at: datetime) -> IssuedCertificate:
        """Return a holder's current signing certificate, issuing it the first time (and again after it expired)."""
        pair = self._files.load_pair(f"holders/{name}")
        if pair is None:
            issued = self.issue(subject, at)
            pair = self._files.save_pair(f"holders/{name}", issued.private_key, issued.certificate)
        elif x509.Certificate.load(pair[1]).not_valid_after <= at:
            return self.renew(name, subject, at)
        return IssuedCertificate(self.id, pair[1], pair[0], (self.certificate,))

    def renew(self, name: str, subject: Subject, at: datetime) -> IssuedCertificate:
        """Give a holder a new key and certificate (as after a revocation)."""
        issued = self.issue(subject, at)
        self._files.replace_pair(f"holders/{name}", issued.private_key, issued.certificate)
        return issued

    def find(self, common_name: str) -> list[bytes]:
        """Return the issued certificates whose subject common name is exactly this one, newest first."""
        found = [
            certificate
            for certificate in map(x509.Certificate.load, self._files.issued())
            if certificate.subject.native.get("common_name") == common_name
        ]
        found.sort(key=lambda certificate: certificate.not_valid_before, reverse=True)
        return [bytes(certificate.dump()) for certificate in found]

    def revoke(self, serial: int, at: datetime, reason: str) -> bool:
        """Revoke a certificate; False when this authority did not issue it."""
        if not self._files.is_issued(serial):
            return False
        self._files.save_revoked(RevokedEntry(serial, at.replace(microsecond=0), reason))
        return True

    def crl(self, at: datetime) -> bytes:
        """The full CRL as of now."""
        return build_crl(self._issuer, self._files.all_revoked(), at, at + _CRL_PERIOD)

    def ocsp(self, request: bytes, at: datetime) -> bytes:
        """Answer an OCSP request as of now."""
        key, certificate = self._responder
        return status.answer(
            request,
            status.Responder(key, certificate, self.certificate),
            is_issued=self._files.is_issued,
            revocation_of=self._files.revoked,
            at=at,
        )


class SandboxPki:
    """All authorities and the TSA."""

    def __init__(self, directory: Path, base_url: str, at: datetime) -> None:
        self.authorities: dict[str, Authority] = {
            spec.id: Authority(spec, PkiFiles(directory / spec.id), base_url, at) for spec in _AUTHORITIES
        }
        tsa = self.authorities["tsa"]
        key, certificate = tsa._delegate("tsu", "TSU 1", _AUTHORITIES[-1], profiles.TIME_STAMPING, at)
        self._unit = timestamping.TimeStampUnit(key, certificate, profiles.TSA_POLICY_OID)
        self.tsa_url = f"{base_url}/tsa"

    @property
    def tsa_certificate(self) -> bytes:
        """The certificate that signs time stamps."""
        return self._unit.certificate

    def issue(
        self,
        authority_id: str,
        subject: Persona | Subject,
        *,
        at: datetime,
        profile: CertificateProfile = profiles.SIGNER,
        policy_oid: str | None = "",
        key_kind: KeyKind | None = None,
        lifetime: timedelta = timedelta(days=365),
        not_before: datetime | None = None,
    ) -> IssuedCertificate:
        """Issue a certificate with a new key; see `Authority.issue`."""
        named = Subject.of(subject) if isinstance(subject, Persona) else subject
        return self.authorities[authority_id].issue(
            named,
            at,
            profile=profile,
            policy_oid=policy_oid,
            key_kind=key_kind,
            lifetime=lifetime,
            not_before=not_before,
        )

    def holder_certificate(self, authority_id: str, persona: Persona, at: datetime) -> IssuedCertificate:
        """Return a persona's lasting signing certificate, issued at the first call, kept even when revoked."""
        return self.authorities[authority_id].holder(persona.id, Subject.of(persona), at)

    def renew_holder(self, authority_id: str, persona: Persona, at: datetime) -> IssuedCertificate:
        """Give a persona a new signing certificate in place of the old one."""
        return self.authorities[authority_id].renew(persona.id, Subject.of(persona), at)

    def revoke(self, serial: int, at: datetime, reason: str = "key_compromise") -> None:
        """Revoke a certificate wherever it was issued.

        Raises:
            KeyError: no authority issued this serial.
        """
        if not any([authority.revoke(serial, at, reason) for authority in self.authorities.values()]):
            raise KeyError("no such serial number")

    def timestamp(self, request: bytes, at: datetime) -> bytes:
        """Answer a time-stamp request (TimeStampReq in, TimeStampResp out)."""
        return timestamping.stamp(request, self._unit, at)


def build_pki(directory: Path, base_url: str, at: datetime) -> SandboxPki:
    """Make the sandbox PKI in a directory, or load the one that is there.

    Args:
        directory: created with mode 0700; keys in it have mode 0600.
        base_url: of the sandbox, without a trailing slash; goes into the certificates' status URLs.
        at: now, aware.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SandboxPki(directory, base_url.rstrip("/"), at)
