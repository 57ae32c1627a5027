"""The validation process: bytes in, report out.

Owns:    the numbered steps of EN 319 102-1 over pure functions, and that the worst of three layers counts: the structure of the
         file, the signature with its certificates and times, and what later revisions changed.
Leaves:  every single rule to its module; fetching to `evidence`; JSON to `report`; processes with limits to `worker`.
Rules:   a failing step does not hide another: each layer is judged as far as it can be, and TOTAL_FAILED outweighs
         INDETERMINATE; a library's exception is that signature's FORMAT_FAILURE, the others are judged all the same.
Spec:    ETSI EN 319 102-1 V1.4.1 cl. 5.2, 5.3, 5.5 and 5.6; departure: the cryptographic check (5.2.7) comes before the
         certificate (5.2.6), so that a changed document is called changed also where no chain is known
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from signing import cms, document, modification, timestamp
from signing.anchors import Anchor, TrustAnchors, signer_anchors, time_anchors
from signing.certificates import Certificate, parse_certificate
from signing.chain import ProvenTime, TrustMaterial, verify_chain
from signing.config import DocumentLimits
from signing.document import EmbeddedSignature, SignedDocument
from signing.document_times import DocumentTime, judge_document_times
from signing.errors import CmsMalformed, SigningError
from signing.levels import level_of
from signing.model import (
    Coverage,
    Evidence,
    Finding,
    Indication,
    IntegrityReport,
    IntegrityVerdict,
    Modification,
    SignatureFormat,
    SignatureReport,
    SignerReport,
    SubIndication,
    TimestampReport,
    Unsatisfied,
)
from signing.path import Path, check_signer_usage, find_paths
from signing.policy import Policy
from signing.qualification import qualify
from signing.report import ReportError, ValidationReport, worst_integrity
from signing.timestamps import judge_token
from trust_lists.algorithms import SUITABLE_DIGESTS
from trust_lists.snapshot import Snapshot

T = TypeVar("T")
_SUPPORTED_FORMATS = {"ETSI.CAdES.detached": SignatureFormat.PADES, "adbe.pkcs7.detached": SignatureFormat.PKCS7}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A report, and the (certificate, issuer) pairs whose revocation data would have been needed."""

    report: ValidationReport
    lacking: tuple[tuple[bytes, bytes], ...]


def validate(
    data: bytes,
    evidence: Evidence,
    snapshot: Snapshot | TrustAnchors,
    policy: Policy,
    at: datetime,
    limits: DocumentLimits | None = None,
) -> ValidationReport:
    """Validate every signature of a PDF.

    Args:
        data: the file.
        evidence: what was fetched for it; all input and output ends before this call.
        snapshot: the accepted trust list, or other anchors.
        policy: the constraints.
        at: validation time, aware.
        limits: bounds for reading the file.
    """
    judged = judge(data, evidence, snapshot, policy, at, limits)
    return qualify(judged.report, snapshot) if isinstance(snapshot, Snapshot) else judged.report


def judge(
    data: bytes,
    evidence: Evidence,
    anchors: TrustAnchors,
    policy: Policy,
    at: datetime,
    limits: DocumentLimits | None = None,
) -> Judgement:
    """Validate without saying what the signatures are worth where; report also what evidence was lacking."""
    try:
        signed = document.read(data, limits)
    except SigningError as error:
        return Judgement(ValidationReport.unreadable(ReportError(error.code, str(error)), at, policy.name), ())
    material = _gather(signed, evidence, policy, at)
    trusted_times = time_anchors(anchors)
    times = judge_document_times(signed, trusted_times, material)
    trusted_signers = signer_anchors(anchors)
    reports = tuple(
        _SignatureProcess(signed, embedded, times, trusted_signers, trusted_times, material, ProvenTime(at)).run()
        for embedded in signed.signatures
        if not embedded.is_document_timestamp
    )
    report = ValidationReport.of(
        reports,
        tuple(item.report for item in times),
        [item.integrity for item in times],
        at,
        policy.name,
        evidence.missing,
    )
    return Judgement(report, tuple(material.lacking))


def _gather(signed: SignedDocument, evidence: Evidence, policy: Policy, at: datetime) -> TrustMaterial:
    """Put all certificates and revocation data together; unreadable ones are passed over."""
    store = signed.security_store
    certificates: dict[Certificate, None] = {}
    crls, responses = [*store.crls, *evidence.crls], [*store.ocsp_responses, *evidence.ocsp_responses]
    for der in (*store.certificates, *evidence.certificates):
        try:
            certificates[parse_certificate(der)] = None
        except CmsMalformed:
            continue
    for embedded in signed.signatures:
        try:
            parsed = cms.parse_signed_data(cms.unpadded(embedded.contents))
            tokens = [timestamp.parse_timestamp(token).signed_data for token in parsed.timestamps]
        except CmsMalformed:
            continue
        for item in (parsed, *tokens):
            certificates.update(dict.fromkeys(item.certificates))
            crls.extend(item.crls)
            responses.extend(item.ocsp_responses)
    return TrustMaterial(tuple(certificates), tuple(crls), tuple(responses), at, policy)


@dataclass
class _SignatureProcess:
    """One signature on its way to a verdict; `run` is the process, step by step."""

    signed: SignedDocument
    embedded: EmbeddedSignature
    times: tuple[DocumentTime, ...]
    signer_anchors: tuple[Anchor, ...]
    time_anchors: tuple[Anchor, ...]
    material: TrustMaterial
    control: ProvenTime
    findings: list[Finding] = field(default_factory=list)
    parsed: cms.ParsedSignedData | None = None
    signer: Certificate | None = None
    paths: tuple[Path, ...] = ()
    change_permitted: bool = True
    digest: str = "not_checked"
    value: str = "not_checked"
    change: Modification = Modification.NONE
    timestamps: list[TimestampReport] = field(default_factory=list)
    has_valid_token: bool = False
    warnings: list[str] = field(default_factory=list)

    def run(self) -> SignatureReport:
        """Judge this signature; never raises for what the file contains."""
        # 1 Format checking (cl. 5.2.2), and the gate's own findings
        self.parsed = self._step(self._parse)
        for problem in self.embedded.problems:
            self.findings.append(Finding(SubIndication.FORMAT_FAILURE, problem.sentence))
        # 2 Identification of the signing certificate (cl. 5.2.3)
        self.signer = self._step(self._identify)
        # 3 Cryptographic verification (cl. 5.2.7)
        self.digest = self._checked(self._verify_digest)
        self.value = self._checked(self._verify_value)
        # 4 Later revisions (ISO 32000-2 cl. 12.8.2)
        self._step(self._check_modification)
        # 5 Time stamps, from which the best-signature-time comes (cl. 5.5.4 steps 2 to 4)
        self.control = self._step(self._best_signature_time) or self.control
        # 6 X.509 validation at that time (cl. 5.2.6, 5.5.4 step 5, 5.6)
        self._step(self._verify_chain)
        # 7 Signature acceptance validation (cl. 5.2.8)
        self._step(self._accept)
        return self._report()

    def _step(self, step: Callable[[], T]) -> T | None:
        try:
            return step()
        except Unsatisfied as failure:
            self.findings.append(failure.finding)
        except SigningError as error:
            self.findings.append(Finding(SubIndication.FORMAT_FAILURE, str(error)))
        except Exception:  # noqa: BLE001 - door of one signature's process: the others are still judged
            self.findings.append(Finding(SubIndication.FORMAT_FAILURE, "the signature cannot be processed"))
        return None

    def _checked(self, step: Callable[[], None]) -> str:
        before = len(self.findings)
        self._step(step)
        return "ok" if len(self.findings) == before else self.findings[-1].sub_indication.word

    def _parse(self) -> cms.ParsedSignedData:
        return cms.parse_signed_data(cms.unpadded(self.embedded.contents))

    def _identify(self) -> Certificate | None:
        return None if self.parsed is None else cms.identify_signer(self.parsed, self.material.certificates)

    def _verify_digest(self) -> None:
        if self.parsed is None or self.embedded.byte_range is None:
            raise Unsatisfied(SubIndication.FORMAT_FAILURE, "there is nothing to compare the document with")
        cms.verify_digest(self.parsed, document.digest_parts(self.signed.data, self.embedded.byte_range))

    def _verify_value(self) -> None:
        if self.parsed is None or self.signer is None:
            raise Unsatisfied(SubIndication.NO_SIGNING_CERTIFICATE_FOUND, "no key to check the signature value with")
        cms.verify_value(self.parsed, self.signer)

    def _check_modification(self) -> None:
        found = modification.classify(self.signed, self.embedded)
        self.change = found.kind
        if not self.embedded.problems:
            self.change_permitted = False
            modification.check_permitted(found, self.embedded, self.material.policy)
            self.change_permitted = True

    def _best_signature_time(self) -> ProvenTime:
        covering = [item for item in self.times if item.covers(self.embedded)]
        proofs = [item.proof for item in covering if item.proof is not None]
        latest = min(proofs, key=lambda proof: proof.at, default=ProvenTime(self.material.now))
        self.timestamps.extend(item.report for item in covering)
        best = latest
        for token in self.parsed.timestamps if self.parsed else ():
            judged = judge_token(
                token, [self.parsed.signature] if self.parsed else [], self.time_anchors, self.material, latest
            )
            self.timestamps.append(judged.report)
            self.has_valid_token = self.has_valid_token or judged.intact
            if judged.proof is None:
                self.warnings.append("a time stamp does not count: " + judged.report.detail)
            elif latest.proven and judged.proof.at > latest.at:
                raise Unsatisfied(
                    SubIndication.TIMESTAMP_ORDER_FAILURE, "a time stamp is later than one that covers it"
                )
            elif not best.proven or judged.proof.at < best.at:
                best = judged.proof
        return best

    def _verify_chain(self) -> None:
        if self.signer is None or self.parsed is None:
            return
        policy = self.material.policy
        self.paths = tuple(find_paths(self.signer, self.material.certificates, self.signer_anchors))
        verified = verify_chain(
            self.paths,
            self.material,
            self.control,
            check_usage=lambda certificate: check_signer_usage(certificate, policy),
            digest=self.parsed.digest_algorithm,
        )
        self.paths = (verified,)

    def _accept(self) -> None:
        if self._format() is SignatureFormat.UNKNOWN and not self.embedded.problems:
            raise Unsatisfied(
                SubIndication.FORMAT_FAILURE, "the /SubFilter is not one of a signature that can be judged"
            )
        if self.parsed is None:
            return
        if self.parsed.digest_algorithm not in SUITABLE_DIGESTS:
            raise Unsatisfied(SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "the digest algorithm is too weak")
        if not self.parsed.ess and self.material.policy.requires_signing_certificate_attribute:
            raise Unsatisfied(
                SubIndication.SIG_CONSTRAINTS_FAILURE, "the signature does not name its certificate (ESS)"
            )

    def _format(self) -> SignatureFormat:
        found = _SUPPORTED_FORMATS.get(self.embedded.sub_filter, SignatureFormat.UNKNOWN)
        if found is SignatureFormat.PADES and self.parsed is not None and self.parsed.digest_algorithm == "sm3":
            return SignatureFormat.PADES_SM2  # TS 119 312 lists no SM2: not an ETSI baseline signature
        return found

    def _report(self) -> SignatureReport:
        failed = [item for item in self.findings if item.sub_indication.indication is Indication.TOTAL_FAILED]
        # A changed document is called changed, whatever else is wrong with it.
        hashed = [item for item in failed if item.sub_indication is SubIndication.HASH_FAILURE]
        worst = next(iter([*hashed, *failed, *self.findings]), None)
        return SignatureReport(
            field=self.embedded.field,
            indication=worst.sub_indication.indication if worst else Indication.TOTAL_PASSED,
            sub_indication=worst.sub_indication if worst else None,
            detail=worst.detail if worst else "",
            level=level_of(self.embedded, self.parsed, self.signed, self.times, has_token=self.has_valid_token),
            format=self._format(),
            algorithm=self.parsed.algorithm_name if self.parsed else "",
            digest_algorithm=self.parsed.digest_algorithm if self.parsed else "",
            integrity=self._integrity(),
            signer=_signer_report(self.signer, self.paths),
            claimed_signing_time=self.embedded.signing_time or (self.parsed.claimed_time if self.parsed else None),
            best_signature_time=self.control.at,
            best_signature_time_proven=self.control.proven,
            timestamps=tuple(self.timestamps),
            warnings=tuple(self.warnings),
            signer_certificate=self.signer.der if self.signer else b"",
            issuer_certificate=self.paths[0].issuer_of(0).der if self.paths else b"",
        )

    def _integrity(self) -> IntegrityReport:
        place = self.embedded.problems[0] if self.embedded.problems else None
        verdicts = [IntegrityVerdict.OK]
        if place is not None:
            verdicts.append(place.verdict)
        if self.parsed is None:
            verdicts.append(IntegrityVerdict.MALFORMED)
        elif self.digest != "ok" or self.value != "ok":
            verdicts.append(IntegrityVerdict.BROKEN)
        if not self.change_permitted:
            verdicts.append(IntegrityVerdict.MODIFIED)
        return IntegrityReport(
            digest=self.digest,
            signature_value=self.value,
            byte_range=place.word if place else "ok",
            coverage=self.embedded.coverage if place is None else Coverage.UNCLEAR,
            modification=self.change,
            verdict=worst_integrity(verdicts),
        )


def _signer_report(signer: Certificate | None, paths: tuple[Path, ...]) -> SignerReport | None:
    if signer is None:
        return None
    region = paths[0].anchor.region if paths else None
    name = signer.common_name or signer.subject_text
    return SignerReport(
        name, signer.subject_text, signer.issuer_text, f"{signer.serial:x}", region.value if region else None
    )
