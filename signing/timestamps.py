"""Judging one time stamp with its authority.

Owns:    the order of its checks, and the proof of existence that comes of it. Leaves tokens to `timestamp`, chains to `chain`.
Rules:   a token proves nothing unless its authority is anchored in the list and held at the control time;
         a token from the future proves nothing.
Spec:    ETSI EN 319 102-1 cl. 5.4
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from signing import timestamp
from signing.anchors import Anchor
from signing.chain import ProvenTime, TrustMaterial, verify_chain
from signing.errors import SigningError
from signing.model import Finding, Indication, SubIndication, TimestampReport, Unsatisfied
from signing.path import check_time_stamping_usage, find_paths

_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class JudgedToken:
    """The verdict on one token.

    Attributes:
        report: for readers.
        intact: it stamps these bytes and its own signature is good, whoever made it.
        proof: the time it proves, or None.
    """

    report: TimestampReport
    intact: bool
    proof: ProvenTime | None


def judge_token(
    der: bytes,
    parts: Sequence[bytes | memoryview],
    anchors: Sequence[Anchor],
    material: TrustMaterial,
    control: ProvenTime,
    kind: str = "signature timestamp",
) -> JudgedToken:
    """Judge a token over `parts` at the control time (the earliest proof that the token itself existed)."""
    token: timestamp.ParsedTimestamp | None = None
    intact = False
    signer = ""
    try:
        token = timestamp.parse_timestamp(der)
        certificate = timestamp.verify_token(token, material.certificates)
        signer = certificate.subject_text
        timestamp.verify_imprint(token, parts)
        intact = True
        verify_chain(
            find_paths(certificate, material.certificates, anchors),
            material,
            control,
            check_usage=check_time_stamping_usage,
            digest=token.signed_data.digest_algorithm,
        )
        if token.time > control.at + _CLOCK_SKEW:
            raise Unsatisfied(
                SubIndication.TIMESTAMP_ORDER_FAILURE, "the time stamp is later than its own proof of existence"
            )
    except Unsatisfied as failure:
        finding = failure.finding
    except SigningError as error:
        finding = Finding(SubIndication.FORMAT_FAILURE, str(error))
    except Exception:  # noqa: BLE001 - door of one time stamp's process
        finding = Finding(SubIndication.FORMAT_FAILURE, "the time stamp cannot be processed")
    else:
        report = TimestampReport(kind, token.time, signer, Indication.TOTAL_PASSED)
        return JudgedToken(report, intact, ProvenTime(min(token.time, control.at), proven=True, source=kind))
    report = TimestampReport(
        kind,
        token.time if token else None,
        signer,
        finding.sub_indication.indication,
        finding.sub_indication,
        finding.detail,
    )
    return JudgedToken(report, intact, None)
