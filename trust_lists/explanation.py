"""The recognition rule walked aloud: every check, whether it holds, and what would have to change.

Owns:    the walk and its words. Leaves the rule itself to `recognition`: a walk never decides anything.
Rules:   the same checks in the same order as the rule; all are asked, so that everything that stands in the way is named at once. A check
         that cannot be asked because its subject is missing (an unlisted issuer has no status) is not answered.
         The past stays: what would have to change helps new signatures, and says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from trust_lists import recognition as rule
from trust_lists.certificates import CertificateFacts, parse_certificate
from trust_lists.recognition import CHECKS, NotRecognised, Question
from trust_lists.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Step:
    """One check of the rule, asked for one purpose."""

    purpose: str
    check: str
    question: str
    holds: bool
    finding: str
    change: str | None
    """What would have to change; None where it holds."""

    def to_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {name: getattr(self, name) for name in self.__slots__}


def walk(snapshot: Snapshot, certificate: bytes, issuer: bytes, at: datetime) -> tuple[Step, ...]:
    """Return the steps for every purpose, in the rule's order.

    Raises:
        CertificateMalformed: one of the two cannot be read.
    """
    facts, issuer_facts = parse_certificate(certificate), parse_certificate(issuer)
    service = snapshot.service_for(issuer)
    steps: list[Step] = []
    for purpose in snapshot.scheme.purposes:
        steps += _walk(Question(snapshot, facts, issuer_facts, service, purpose, at))
    return tuple(steps)


def _walk(question: Question) -> list[Step]:
    steps: list[Step] = []
    for check in (*CHECKS, rule.check_agreement):
        name = check.__name__.removeprefix("check_")
        words = _QUESTIONS[name]
        try:
            check(question)
        except NotRecognised as answer:
            if steps and str(answer) in {step.finding for step in steps}:
                continue  # the same obstacle again: this check cannot be asked without it
            steps.append(Step(question.purpose.name, name, words, False, str(answer), _CHANGES[name](question)))
        else:
            steps.append(Step(question.purpose.name, name, words, True, "holds", None))
        if question.service is None:
            break
    return steps


def describe(facts: CertificateFacts, service_id: str | None) -> dict[str, object]:
    """Return what the rule looks at in the certificate."""
    return {
        "subject": facts.subject,
        "serial_number": format(facts.serial_number, "x"),
        "policies": list(facts.policies),
        "key_usage": sorted(facts.key_usage),
        "issuer_service": service_id,
    }


_QUESTIONS: Mapping[str, str] = MappingProxyType(
    {
        "listed": "Is the issuer's key on the list, admitted by the scheme?",
        "issued": "Did that key really sign the certificate?",
        "service_type": "Does the service issue to people, and is this such a certificate?",
        "admission": "Had the scheme admitted the service at that time?",
        "status": "Had its region granted the service at that time?",
        "certificate_type": "Is it of an admitted type (policy under the prefix, key usage)?",
        "purpose": "Is that type admitted for this purpose?",
        "algorithm": "Are its key and its issuer's suitable here at that time?",
        "agreement": "Is it at home here, or is there an enacted agreement for this purpose?",
    }
)

# --- what would have to change -----------------------------------------------------------------------------------------


def _listed(_: Question) -> str:
    return "The issuer's region lists it (`trust-list service add`) and two regions admit it; signatures from then on count."


def _issued(_: Question) -> str:
    return "Nothing on the list: a certificate that the listed key really signed is needed."


def _service_type(_: Question) -> str:
    return "Nothing on the list: a certificate of a person or organisation, from a service that issues such, is needed."


def _id(question: Question) -> str:
    return question.service.id if question.service else "ID"


def _admission(question: Question) -> str:
    return f"Two regions admit {_id(question)} to the scheme; signatures from then on count, this one does not."


def _status(question: Question) -> str:
    return f"Its region grants it (`trust-list service set-status {_id(question)} granted`); signatures from then on count."


def _certificate_type(question: Question) -> str:
    kinds = question.service.certificate_types if question.service else ()
    admitted = ", ".join(f"{kind.policy_oid_prefix} (key usage {'+'.join(kind.key_usage)})" for kind in kinds)
    carried = ", ".join(question.facts.policies) or "none"
    return (
        f"The CA issues it under an admitted policy ({admitted or 'there is none'}; it carries {carried}), "
        "or two regions admit a certificate type that covers it."
    )


def _purpose(question: Question) -> str:
    return f"Two regions admit a certificate type of {_id(question)} for {question.purpose.name}."


def _algorithm(question: Question) -> str:
    return f"A certificate whose key and digest {question.purpose.region.territory} considers suitable at that time is needed."


def _agreement(question: Question) -> str:
    home = question.service.region.value if question.service else "?"
    here = question.purpose.region.value
    return (
        f"An agreement between {home} and {here} that covers {question.purpose.name} is enacted "
        f"(`trust-list agreement propose … --between {home},{here}`); signatures from then on count."
    )


_CHANGES: Mapping[str, Callable[[Question], str]] = MappingProxyType(
    {
        "listed": _listed,
        "issued": _issued,
        "service_type": _service_type,
        "admission": _admission,
        "status": _status,
        "certificate_type": _certificate_type,
        "purpose": _purpose,
        "algorithm": _algorithm,
        "agreement": _agreement,
    }
)
