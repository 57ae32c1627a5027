"""Pages for people: sign a document, see that it is signed, judge a file.

Owns:    the routes of `/sign/{transaction}` and `/validate`, their form tokens. Leaves words to the templates.
Rules:   only the citizen whose signature is asked for sees a transaction; what changes state carries a form token bound to
         citizen and transaction; everything works without JavaScript.
"""

import hmac
import json
from collections.abc import Mapping

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from signing.doors import SigningDoors
from signing.errors import AccessRefused, SigningError
from signing.forms import open_form, read_document, text_of
from signing.ports import SignedInCitizen
from signing.store import DocumentKind
from signing.transaction_model import Transaction, TransactionStatus
from trust_lists.errors import TrustListError

_REFRESH_S = 3
_PDF_HEADERS = {
    "Content-Disposition": 'inline; filename="document.pdf"',
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_WAITING = (TransactionStatus.AWAITING_APPROVAL, TransactionStatus.COMPLETING, TransactionStatus.STARTING)


def build_page_routes(doors: SigningDoors) -> list[BaseRoute]:
    """Return the pages' routes."""
    pages = _Pages(doors)
    return [
        Route("/sign/{transaction}", pages.show),
        Route("/sign/{transaction}", pages.authorise, methods=["POST"]),
        Route("/sign/{transaction}/document", pages.document),
        Route("/validate", pages.upload),
        Route("/validate", pages.verdict, methods=["POST"]),
    ]


class _Pages:
    """The pages; each method answers one request."""

    def __init__(self, doors: SigningDoors) -> None:
        self._doors = doors

    async def _own(self, request: Request) -> tuple[SignedInCitizen, Transaction]:
        """Return who is signed in and that person's transaction.

        Raises:
            AccessRefused: nobody, or somebody else.
            TransactionUnknown: there is none.
        """
        citizen = await self._doors.authorisations.citizen(request)
        if citizen is None:
            raise AccessRefused("sign in first, with an account that can sign", "sign_in_required")
        return citizen, await self._doors.transactions.view_for_citizen(request.path_params["transaction"], citizen)

    async def show(self, request: Request) -> Response:
        """The page of a transaction, by its state."""
        try:
            citizen, transaction = await self._own(request)
        except SigningError as error:
            return _problem(self._doors, request, error)
        return await _page(self._doors, request, transaction, citizen)

    async def authorise(self, request: Request) -> Response:
        """The citizen's decision to sign."""
        try:
            citizen, transaction = await self._own(request)
            async with open_form(request, self._doors.config.document) as form:
                token = text_of(form, "csrf")
            expected = _form_token(self._doors, transaction.id, citizen)
            if not hmac.compare_digest(token.encode(), expected.encode()):
                raise AccessRefused("the form is not from this page; open the page again", "csrf_mismatch")
            locale = request.headers.get("accept-language", "")[:35]
            await self._doors.transactions.authorise(transaction.id, citizen, locale)
        except SigningError as error:
            return _problem(self._doors, request, error)
        return RedirectResponse(f"/sign/{transaction.id}", 303)

    async def document(self, request: Request) -> Response:
        """The document itself, signed once it is."""
        try:
            _, transaction = await self._own(request)
            signed = transaction.status is TransactionStatus.SIGNED
            kind = DocumentKind.SIGNED if signed else DocumentKind.ORIGINAL
            content = await self._doors.transactions.document(transaction.id, kind)
        except SigningError as error:
            return _problem(self._doors, request, error)
        return Response(content, media_type="application/pdf", headers=_PDF_HEADERS)

    async def upload(self, request: Request) -> Response:
        """The empty form."""
        return self._validate_page(request, {})

    async def verdict(self, request: Request) -> Response:
        """The verdict on an uploaded file."""
        try:
            async with open_form(request, self._doors.config.document) as form:
                posted = form.get("document")
                name = (posted.filename or "")[:200] if isinstance(posted, UploadFile) else ""
                document = await read_document(form, self._doors.config.document)
            report = await self._doors.validate(document)
        except (SigningError, TrustListError) as error:
            problem = {"code": error.code, "detail": str(error)}
            return self._validate_page(request, {"problem": problem}, status=_status_of(error))
        return self._validate_page(request, {"report": report.to_json(name), "file_name": name})

    def _validate_page(self, request: Request, context: Mapping[str, object], status: int = 200) -> Response:
        empty: dict[str, object] = {"report": None, "problem": None, "file_name": ""}
        return self._doors.pages(request, "signing_validate.html", {**empty, **context}, status=status)


async def _page(doors: SigningDoors, request: Request, transaction: Transaction, citizen: SignedInCitizen) -> Response:
    context: dict[str, object] = {
        "transaction": transaction,
        "csrf": _form_token(doors, transaction.id, citizen),
        "minutes": max(0, int((transaction.deadline - doors.clock()).total_seconds() // 60)),
    }
    if transaction.status in _WAITING:
        return doors.pages(request, "signing_wait.html", {**context, "refresh_s": _REFRESH_S})
    if transaction.status is TransactionStatus.SIGNED:
        report: Mapping[str, object] = json.loads(
            await doors.transactions.document(transaction.id, DocumentKind.REPORT)
        )
        return doors.pages(request, "signing_done.html", {**context, "report": report})
    if transaction.status.is_final:
        return doors.pages(request, "signing_closed.html", context)
    return doors.pages(request, "signing_sign.html", context)


def _problem(doors: SigningDoors, request: Request, error: SigningError) -> Response:
    context = {"code": error.code, "detail": str(error)}
    return doors.pages(request, "signing_problem.html", context, status=_status_of(error))


def _status_of(error: SigningError | TrustListError) -> int:
    statuses = {"sign_in_required": 401, "transaction_not_found": 404, "document_too_large": 413}
    if isinstance(error, AccessRefused) and error.code not in statuses:
        return 403
    return statuses.get(error.code, 503 if error.code.endswith(("_unavailable", "_stale", "_limit")) else 400)


def _form_token(doors: SigningDoors, transaction_id: str, citizen: SignedInCitizen) -> str:
    return doors.cipher.lookup(f"{transaction_id}\n{citizen.citizen}", purpose="signing.form_token")
