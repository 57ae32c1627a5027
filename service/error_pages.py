"""What a browser sees when a request cannot be carried out, and what a program gets: a page, or a problem document.

Owns:    the choice between the two. Leaves statuses, codes and texts for programs to `problem_details`, words for people to the template.
Rules:   a page says what happened, what the person can do now, and a reference number; nothing of the inside
"""

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from service.page_renderer import PageRenderer
from service.problem_details import Problem, problem_of, write_problem

Handler = Callable[[Request, Exception], Awaitable[Response]]

GONE = "This page is not here", "Check the address, or go back to the portal you came from and start again."
OURS = (
    "Something failed on our side",
    "Nothing was passed on. Please try again in a few minutes; if it fails again, give support the reference number.",
)
REFUSED = "This request cannot be carried out", "Go back to the portal you came from and start again."


def build_error_handler(render: PageRenderer) -> Handler:
    """Return the handler for domain errors, HTTP errors of the framework, and bugs."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = _of_framework(error) if isinstance(error, HTTPException) else problem_of(error)
        if not wants_page(request):
            return write_problem(request, problem, error)
        headline, advice = GONE if problem.status == 404 else OURS if problem.status >= 500 else REFUSED
        reference = request.scope.get("state", {}).get("reference", "")
        context = {"headline": headline, "what_to_do": advice, "reference": reference, "code": problem.code}
        return render(request, "service_error.html", context, status=problem.status)

    return handle


def wants_page(request: Request) -> bool:
    """Tell whether a person's browser asks: it says so, and the address is not one of the APIs."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/")


def _of_framework(error: HTTPException) -> Problem:
    codes = {404: "not_found", 405: "method_not_allowed"}
    return Problem(
        error.status_code, codes.get(error.status_code, "request_refused"), "There is nothing at this address."
    )
