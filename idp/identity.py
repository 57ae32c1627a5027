"""Who an assertion is: the person's record behind an upstream account, and the subject that each sector sees.

Owns:    look-up values, the pairwise subject, the sign-in made of an assertion. Leaves storage to the stores.
Rules:   1 an upstream subject is found by its keyed hash, never stored in clear
         2 a person is our own random identifier; no portal ever sees it
         3 subjects, session ids and permit subjects are keyed hashes that differ by sector and purpose, so none can be joined
Spec:    OpenID Connect Core 1.0 cl. 8.1 (pairwise identifiers)
"""

from datetime import datetime, timedelta

from idp.model import Identity, SignIn
from idp.ports import PersonalDataCipher
from idp.upstream import UpstreamAssertion


def subject_lookup(cipher: PersonalDataCipher, connector: str, subject: str) -> str:
    """Return the value under which an upstream account is stored."""
    return cipher.lookup(f"{connector}\x1f{subject}", purpose="idp.upstream_subject")


def pairwise_subject(cipher: PersonalDataCipher, *, sector: str, person: str) -> str:
    """Return the `sub` that relying parties of one sector see (Core cl. 8.1, method 3: keyed)."""
    return cipher.lookup(f"{sector}\x1f{person}", purpose="idp.pairwise_subject")


def session_identifier(cipher: PersonalDataCipher, *, session: str, client_id: str) -> str:
    """Return the `sid` that one relying party sees."""
    return cipher.lookup(f"{client_id}\x1f{session}", purpose="idp.session_identifier")


def sector_reference(cipher: PersonalDataCipher, *, sector: str, reference: str) -> str:
    """Return the reference under which relying parties of one sector know a person's permit."""
    return cipher.lookup(f"{sector}\x1f{reference}", purpose="idp.document_reference")


def permit_subject(cipher: PersonalDataCipher, person: str) -> str:
    """Return the subject under which the permit check knows this person."""
    return cipher.lookup(person, purpose="idp.permit_subject")


def sign_in_of(assertion: UpstreamAssertion, *, session: str, person: str, lifetime: timedelta, at: datetime) -> SignIn:
    """Make the sign-in session's value of an assertion."""
    return SignIn(
        session=session,
        person=person,
        connector=assertion.connector,
        region=assertion.region,
        trust_framework=assertion.trust_framework,
        account_level=assertion.account_level,
        session_method=assertion.session_method,
        amr=assertion.amr,
        # an upstream whose clock runs ahead must not make a session fresher than now
        authenticated_at=min(assertion.authenticated_at, at),
        expires_at=at + lifetime,
        signer=assertion.signer,
    )


def identity_of(assertion: UpstreamAssertion, *, person: str) -> Identity:
    """Make the person's record of an assertion."""
    told = assertion.identity
    return Identity(
        connector=assertion.connector,
        person=person,
        name_latin=told.name_latin,
        name_chinese=told.name_chinese,
        birthdate=told.birthdate,
        gender=told.gender,
        document_type=told.document_type,
        document_number=told.document_number,
    )
