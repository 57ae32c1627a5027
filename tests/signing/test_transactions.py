"""A signing request from a portal to a signed document, and everything that can go wrong on the way."""

import asyncio
import re

import pytest

from signing.errors import (
    AccessRefused,
    RemoteSignerUnavailable,
    TransactionExpired,
    TransactionState,
    TransactionUnknown,
    TsaUnavailable,
)
from signing.remote_signing import SigningOutcome
from signing.transaction_model import TransactionStatus
from tests.support import pki
from tests.support.signing import judge, later, plain_pdf
from tests.support.signing_service import SESSIONS, running

CITIZEN = SESSIONS["citizen"]


@pytest.fixture
async def service(tmp_path):
    async with running(tmp_path) as made:
        yield made


async def started(service, **fields: str) -> str:
    created = (await service.post(plain_pdf(), **fields)).json()
    await service.transactions.authorise(created["transaction"], CITIZEN, "zh-HK")
    return created["transaction"]


async def status_of(service, transaction: str) -> dict:
    answer = await service.http.get(f"/api/v1/signing/transactions/{transaction}", headers=service.portal())
    return answer.json()


async def test_from_the_portals_document_to_the_signed_one(service):
    answer = await service.post(plain_pdf())
    assert answer.status_code == 201
    created = answer.json()
    assert created["status"] == "created"
    assert created["url"] == f"https://gba.test/sign/{created['transaction']}"

    page = await service.http.get(f"/sign/{created['transaction']}", headers=service.citizen())
    assert page.status_code == 200
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)[1]
    form = {"csrf": csrf, "decision": "authorise"}
    posted = await service.http.post(f"/sign/{created['transaction']}", data=form, headers=service.citizen())
    assert posted.status_code == 303
    waiting = await service.http.get(posted.headers["location"], headers=service.citizen())
    assert "1293" in waiting.text
    assert 'http-equiv="refresh"' in waiting.text
    assert (await status_of(service, created["transaction"]))["status"] == "awaiting_approval"

    await service.transactions.complete(service.upstream.result())
    assert (await status_of(service, created["transaction"]))["status"] == "signed"
    place = f"/api/v1/signing/transactions/{created['transaction']}"
    signed = (await service.http.get(f"{place}/document", headers=service.portal())).content
    report = judge(signed, anchors=service.listed.snapshot)
    assert report.indication.value == "TOTAL_PASSED"
    assert report.signatures[0].level.value == "B-T"
    assert service.upstream.acknowledged == [(service.upstream.result().reference, SigningOutcome.ACCEPTED)]
    done = await service.http.get(f"/sign/{created['transaction']}", headers=service.citizen())
    assert "notice-ok" in done.text
    kept = (await service.http.get(f"{place}/report", headers=service.portal())).json()
    assert kept["indication"] == "TOTAL_PASSED"


async def test_the_citizen_is_asked_once_and_the_key_works_once(service):
    transaction = await started(service)
    await asyncio.gather(*(service.transactions.authorise(transaction, CITIZEN, "") for _ in range(3)))
    assert len(service.upstream.started) == 1
    await service.transactions.complete(service.upstream.result())
    await service.transactions.complete(service.upstream.result())
    assert service.tsa.count == 1
    assert len(service.upstream.acknowledged) == 1


async def test_two_authorisations_at_once_start_one_signature(service):
    created = (await service.post(plain_pdf())).json()
    answers = await asyncio.gather(
        *(service.transactions.authorise(created["transaction"], CITIZEN, "") for _ in range(4)), return_exceptions=True
    )
    assert len(service.upstream.started) == 1
    assert sum(isinstance(answer, TransactionState) for answer in answers) <= 3


async def test_the_same_idempotency_key_is_the_same_transaction(service):
    headers = {**service.portal(), "Idempotency-Key": "k-1"}
    ids = set()
    for _ in range(2):
        files = {"document": ("a.pdf", plain_pdf(), "application/pdf")}
        answer = await service.http.post(
            "/api/v1/signing/transactions", data={"document_name": "a.pdf"}, files=files, headers=headers
        )
        ids.add(answer.json()["transaction"])
    assert len(ids) == 1
    other = {"document": ("a.pdf", plain_pdf(2), "application/pdf")}
    answer = await service.http.post(
        "/api/v1/signing/transactions", data={"document_name": "a.pdf"}, files=other, headers=headers
    )
    assert answer.json()["code"] == "invalid_request"


async def test_a_revoked_certificate_is_refused_and_acknowledged_as_rejected(tmp_path):
    held = pki.fresh()
    async with running(tmp_path, held) as service:
        transaction = await started(service)
        pki.pki().revoke(held.serial, later(hours=-1))
        await service.transactions.complete(service.upstream.result())
        found = await status_of(service, transaction)
        assert found["status"] == "refused"
        assert found["error"]["code"] == "REVOKED_NO_POE"
        assert service.upstream.acknowledged[-1][1] is SigningOutcome.REJECTED
        document = await service.http.get(
            f"/api/v1/signing/transactions/{transaction}/document", headers=service.portal()
        )
        assert document.json()["code"] == "transaction_state"
        assert ("signing.refused", "REVOKED_NO_POE", {}) in service.trail.events


async def test_a_dead_tsa_is_an_error_and_never_a_lower_level(service):
    async def dead(_data):
        raise TsaUnavailable("the time-stamping authority does not answer")

    transaction = await started(service)
    service.tsa.stamp = dead
    await service.transactions.complete(service.upstream.result())
    found = await status_of(service, transaction)
    assert (found["status"], found["error"]["code"]) == ("refused", "tsa_unavailable")
    assert service.upstream.acknowledged[-1][1] is SigningOutcome.REJECTED


async def test_a_signature_by_another_certificate_is_refused(service):
    transaction = await started(service)
    await service.transactions.complete(service.upstream.result(held=pki.fresh()))
    assert (await status_of(service, transaction))["error"]["code"] == "NO_SIGNING_CERTIFICATE_FOUND"


async def test_a_wrong_signature_value_is_refused(service):
    from dataclasses import replace

    transaction = await started(service)
    wrong = replace(service.upstream.result(), signature=pki.holder().private_key.sign(b"something else"))
    await service.transactions.complete(wrong)
    assert (await status_of(service, transaction))["error"]["code"] == "SIG_CRYPTO_FAILURE"


async def test_after_the_withdrawal_of_the_ca_nothing_is_given_out(service):
    transaction = await started(service)
    service.listed.withdraw("hk-rsa", later(seconds=5))
    service.clock.now = service.tsa.at = service.status.at = later(minutes=1)
    await service.transactions.complete(service.upstream.result())
    assert (await status_of(service, transaction))["error"]["code"] == "NO_CERTIFICATE_CHAIN_FOUND_NO_POE"


async def test_the_upstreams_refusal_is_told_with_its_code(service):
    transaction = await started(service)
    reference = service.upstream.result().reference
    await service.transactions.refuse(reference, "user_rejected")
    await service.transactions.refuse(reference, "another")
    found = await status_of(service, transaction)
    assert (found["status"], found["error"]["code"]) == ("refused", "user_rejected")
    with pytest.raises(TransactionState):
        await service.transactions.complete(service.upstream.result())


async def test_an_unknown_reference_may_become_known_later(service):
    await started(service)
    from dataclasses import replace

    with pytest.raises(TransactionUnknown):
        await service.transactions.complete(replace(service.upstream.result(), reference="not-yet"))


async def test_past_its_deadline_nothing_happens_any_more(service):
    transaction = await started(service)
    service.clock.now = later(hours=1)
    assert (await status_of(service, transaction))["status"] == "expired"
    with pytest.raises(TransactionState):
        await service.transactions.complete(service.upstream.result())
    assert service.upstream.acknowledged[-1][1] is SigningOutcome.REJECTED
    with pytest.raises(TransactionExpired):
        await service.transactions.authorise(transaction, CITIZEN, "")


async def test_an_upstream_that_does_not_answer_leaves_the_way_open(service):
    created = (await service.post(plain_pdf())).json()
    service.upstream.error = RemoteSignerUnavailable("no answer")
    with pytest.raises(RemoteSignerUnavailable):
        await service.transactions.authorise(created["transaction"], CITIZEN, "")
    service.upstream.error = None
    again = await service.transactions.authorise(created["transaction"], CITIZEN, "")
    assert again.status is TransactionStatus.AWAITING_APPROVAL


async def test_a_process_that_died_while_completing_is_taken_over_after_its_lease(service):
    transaction = await started(service)
    result = service.upstream.result()
    service.database.connection.execute("UPDATE signing_transactions SET status = 'completing'")
    from signing.errors import TransactionBusy

    with pytest.raises(TransactionBusy):
        await service.transactions.complete(result)
    service.clock.now = later(minutes=2)
    service.tsa.at = service.status.at = service.clock.now
    await service.transactions.complete(result)
    assert (await status_of(service, transaction))["status"] == "signed"


async def test_a_process_that_died_while_starting_leaves_the_way_open(service):
    created = (await service.post(plain_pdf())).json()
    service.database.connection.execute("UPDATE signing_transactions SET status = 'starting'")
    with pytest.raises(TransactionState):
        await service.transactions.authorise(created["transaction"], CITIZEN, "")
    service.clock.now = later(minutes=2)
    page = await service.http.get(f"/sign/{created['transaction']}", headers=service.citizen())
    assert 'value="authorise"' in page.text
    await service.transactions.authorise(created["transaction"], CITIZEN, "")
    assert len(service.upstream.started) == 1


async def test_only_the_citizen_of_the_token_may_sign(service):
    created = (await service.post(plain_pdf())).json()
    with pytest.raises(AccessRefused) as refused:
        await service.transactions.authorise(created["transaction"], SESSIONS["stranger"], "")
    assert refused.value.code == "signer_mismatch"
    page = await service.http.get(f"/sign/{created['transaction']}", headers=service.citizen("stranger"))
    assert page.status_code == 403
    assert "mortgage.pdf" not in page.text
    nobody = await service.http.get(f"/sign/{created['transaction']}")
    assert nobody.status_code == 401


async def test_another_portal_sees_nothing(service):
    created = (await service.post(plain_pdf())).json()
    answer = await service.http.get(
        f"/api/v1/signing/transactions/{created['transaction']}", headers=service.portal("other")
    )
    assert answer.json()["code"] == "transaction_not_found"


async def test_a_token_without_citizen_cannot_ask_for_a_signature(service):
    files = {"document": ("a.pdf", plain_pdf(), "application/pdf")}
    answer = await service.http.post(
        "/api/v1/signing/transactions",
        data={"document_name": "a.pdf"},
        files=files,
        headers=service.portal("machine"),
    )
    assert answer.json()["code"] == "insufficient_scope"


async def test_a_form_from_elsewhere_signs_nothing(service):
    created = (await service.post(plain_pdf())).json()
    form = {"csrf": "guess", "decision": "authorise"}
    answer = await service.http.post(f"/sign/{created['transaction']}", data=form, headers=service.citizen())
    assert answer.status_code == 403
    assert service.upstream.started == []


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({"document_name": ""}, plain_pdf()),
        ({"document_name": "x" * 300}, plain_pdf()),
        ({"level": "B-XL"}, plain_pdf()),
        ({"level": "B-LTA"}, plain_pdf()),
        ({}, b"not a pdf"),
    ],
)
async def test_nonsense_is_refused(service, fields, content):
    assert (await service.post(content, **fields)).json()["code"] == "invalid_request"


async def test_a_document_that_cannot_be_signed_is_refused_before_the_upstream_is_asked(service):
    created = (await service.post(b"%PDF-1.7\nnothing")).json()
    from signing.errors import DocumentRefused

    with pytest.raises(DocumentRefused):
        await service.transactions.authorise(created["transaction"], CITIZEN, "")
    assert (await status_of(service, created["transaction"]))["error"]["code"] == "document_malformed"
    assert service.upstream.started == []


async def test_documents_and_names_are_sealed_at_rest(service):
    transaction = await started(service)
    await service.transactions.complete(service.upstream.result())
    dump = "\n".join(service.database.connection.iterdump())
    assert "mortgage.pdf" not in dump
    assert b"%PDF-1.".hex().upper() not in dump.upper()
    assert transaction in dump


async def test_old_transactions_are_forgotten(service):
    transaction = await started(service)
    service.clock.now = later(days=30)
    await service.post(plain_pdf())
    with pytest.raises(TransactionUnknown):
        await service.transactions.view(transaction)
    left = service.database.connection.execute("SELECT COUNT(*) FROM signing_documents").fetchone()
    assert left == (1,)
