"""Certification paths from a certificate to an anchor.

Owns:    finding paths, and the rules of RFC 5280 for each certificate on one. Leaves revocation to `revocation`, what a
         certificate is worth where to `qualification`.
Rules:   1 issuers are matched by name and key identifier, then proved by the signature; names alone decide nothing
         2 every certificate above the end entity is a CA that may sign certificates, within its path length
         3 an unknown critical extension is refused, and so are name and policy constraints (none of our schemes uses them)
         4 work is bounded: depth and number of signature checks
Spec:    RFC 5280 sec. 6.1; ETSI EN 319 102-1 cl. 5.2.6 (NO_CERTIFICATE_CHAIN_FOUND, CERTIFICATE_CHAIN_GENERAL_FAILURE)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from signing.anchors import Anchor
from signing.certificates import Certificate
from signing.model import SubIndication, Unsatisfied
from signing.policy import Policy
from trust_lists.algorithms import check_suitable, key_kind, verify_signature
from trust_lists.errors import AlgorithmRefused, KeyRefused, SignatureInvalid
from trust_lists.vocabulary import Region

MAX_DEPTH = 6
_TIME_STAMPING = "1.3.6.1.5.5.7.3.8"


@dataclass(frozen=True, slots=True)
class Path:
    """A path whose signatures are verified: end entity first, the last certificate issued by the anchor's key."""

    certificates: tuple[Certificate, ...]
    anchor: Anchor

    @property
    def end_entity(self) -> Certificate:
        """The certificate that the path is for."""
        return self.certificates[0]

    def issuer_of(self, index: int) -> Certificate:
        """Return the certificate whose key signed the one at `index`."""
        following = index + 1
        return self.certificates[following] if following < len(self.certificates) else self.anchor.certificate


@dataclass
class _Budget:
    checks: int = 40

    def take(self) -> bool:
        self.checks -= 1
        return self.checks >= 0


def find_paths(end_entity: Certificate, pool: Iterable[Certificate], anchors: Sequence[Anchor]) -> Iterator[Path]:
    """Yield the paths from a certificate to an anchor, shortest branch first; signatures are verified on the way."""
    candidates: dict[bytes, list[Certificate]] = {}
    for certificate in dict.fromkeys(pool):
        candidates.setdefault(certificate.subject, []).append(certificate)
    yield from _extend((end_entity,), candidates, anchors, _Budget())


def _extend(
    chain: tuple[Certificate, ...],
    candidates: dict[bytes, list[Certificate]],
    anchors: Sequence[Anchor],
    budget: _Budget,
) -> Iterator[Path]:
    last = chain[-1]
    for anchor in anchors:
        if anchor.certificate.subject == last.subject and anchor.certificate.spki == last.spki:
            yield Path(chain, anchor)  # the certificate carries a listed key itself
        elif _may_have_issued(anchor.certificate, last) and _signed(anchor.certificate, last, budget):
            yield Path(chain, anchor)
    if len(chain) >= MAX_DEPTH:
        return
    for issuer in candidates.get(last.issuer, ()):
        if issuer in chain or not _may_have_issued(issuer, last) or not _signed(issuer, last, budget):
            continue
        yield from _extend((*chain, issuer), candidates, anchors, budget)


def _may_have_issued(issuer: Certificate, issued: Certificate) -> bool:
    if issuer.subject != issued.issuer:
        return False
    known = issued.authority_key_identifier
    return known is None or issuer.key_identifier is None or known == issuer.key_identifier


def _signed(issuer: Certificate, issued: Certificate, budget: _Budget) -> bool:
    if not budget.take():
        return False
    try:
        verify_signature(issuer.spki, issued.algorithm, issued.signature, issued.tbs)
    except (SignatureInvalid, AlgorithmRefused, KeyRefused):
        return False
    return True


def check_constraints(path: Path) -> None:
    """Check every certificate of a path against rules 2 and 3.

    Raises:
        Unsatisfied: CERTIFICATE_CHAIN_GENERAL_FAILURE.
    """
    for certificate in path.certificates:
        if certificate.unhandled_critical:
            _general(f"a critical extension is not processed: {certificate.unhandled_critical[0]}")
    above = (*path.certificates[1:], path.anchor.certificate)
    if path.end_entity.spki == path.anchor.certificate.spki:
        above = ()
    below = 0  # non-self-issued intermediate certificates below, RFC 5280 sec. 6.1.4 l
    for issuer in above:
        if not issuer.is_ca:
            _general("an issuer on the path is not a CA")
        if issuer.key_usage is not None and "key_cert_sign" not in issuer.key_usage:
            _general("an issuer on the path may not sign certificates")
        if issuer.path_length is not None and below > issuer.path_length:
            _general("a path is longer than a CA allows")
        below += 0 if issuer.is_self_issued else 1


def _general(detail: str) -> None:
    raise Unsatisfied(SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE, detail)


def check_signer_usage(certificate: Certificate, policy: Policy) -> None:
    """Check that the certificate may sign documents (EN 319 102-1 cl. 5.2.6: chain constraints).

    Raises:
        Unsatisfied: CHAIN_CONSTRAINTS_FAILURE.
    """
    if certificate.is_ca:
        raise Unsatisfied(SubIndication.CHAIN_CONSTRAINTS_FAILURE, "the signing certificate is a CA certificate")
    if certificate.key_usage is None or not certificate.key_usage & policy.key_usages:
        raise Unsatisfied(SubIndication.CHAIN_CONSTRAINTS_FAILURE, "the certificate's key usage is not for signatures")
    extended = certificate.extended_key_usage
    if extended is not None and not extended & policy.extended_key_usages:
        raise Unsatisfied(
            SubIndication.CHAIN_CONSTRAINTS_FAILURE, "the certificate's extended key usage is not for documents"
        )


def check_time_stamping_usage(certificate: Certificate) -> None:
    """Check that the certificate is for time stamps alone, and says so critically (RFC 3161 sec. 2.3).

    Raises:
        Unsatisfied: CHAIN_CONSTRAINTS_FAILURE.
    """
    alone = certificate.extended_key_usage == frozenset({_TIME_STAMPING})
    usage = certificate.key_usage is None or bool(certificate.key_usage & {"digital_signature", "non_repudiation"})
    if not alone or not certificate.extended_key_usage_critical or not usage or certificate.is_ca:
        raise Unsatisfied(SubIndication.CHAIN_CONSTRAINTS_FAILURE, "the certificate is not for time stamps alone")


def check_algorithms(path: Path, region: Region, at: datetime, *, digest: str, proven: bool) -> None:
    """Check keys and digest of a path at the time when the signature is known to have existed (cl. 5.2.8).

    Raises:
        Unsatisfied: CRYPTO_CONSTRAINTS_FAILURE, or CRYPTO_CONSTRAINTS_FAILURE_NO_POE where an earlier proof would help.
    """
    try:
        for certificate in path.certificates:
            check_suitable(key_kind(certificate.spki), region, at, digest=digest)
    except (AlgorithmRefused, KeyRefused) as error:
        code = SubIndication.CRYPTO_CONSTRAINTS_FAILURE if proven else SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
        raise Unsatisfied(code, str(error)) from error
