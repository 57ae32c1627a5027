"""The simulated phone over HTTP: what waits for the person, and their decision.

Owns:    `GET /iam-smart/phone` (page, or JSON for programs), `POST /iam-smart/phone/{id}`. Leaves the requests to `approvals`.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sandbox.iam_smart import pages
from sandbox.iam_smart.approvals import Approval, ApprovalDesk
from sandbox.state import Mode, SandboxState


class PhonePage:
    """Shows the requests and takes the decisions."""

    def __init__(self, desk: ApprovalDesk, state: SandboxState) -> None:
        self._desk = desk
        self._state = state

    async def show(self, request: Request) -> Response:
        """List the requests, newest first: a page for a browser, else JSON."""
        approvals = self._desk.listing()
        if _wants_page(request):
            return pages.phone(approvals, automatic=self._state.mode is Mode.AUTOMATIC)
        return JSONResponse({"simulated": True, "approvals": [_view(approval) for approval in approvals]})

    async def decide(self, request: Request) -> Response:
        """Take `decision=approve` or `decision=refuse` for one request."""
        form = await request.form(max_files=0, max_fields=5)
        decision = form.get("decision")
        if decision not in ("approve", "refuse"):
            return JSONResponse(
                {"code": "decision_refused", "detail": "decision must be approve or refuse"}, status_code=400
            )
        approval = self._desk.decide(request.path_params["approval"], approve=decision == "approve")
        if approval is None:
            return JSONResponse({"code": "approval_unknown", "detail": "no such request"}, status_code=404)
        return (
            RedirectResponse("/iam-smart/phone", status_code=303)
            if _wants_page(request)
            else JSONResponse(_view(approval))
        )


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _view(approval: Approval) -> dict[str, object]:
    return {
        "id": approval.id,
        "kind": approval.kind,
        "persona": approval.persona.id,
        "business_id": approval.business_id,
        "service_name": approval.service_name,
        "document_name": approval.document_name,
        "identification_code": approval.identification_code,
        "status": approval.status.value,
        "acknowledged": approval.acknowledged,
    }
