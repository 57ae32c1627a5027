"""The pages of the simulated iAM Smart: the broker page, the phone, refusals; plain HTML, no JavaScript.

Owns:    rendering and the headers of these pages. Every page says that it is simulated.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from sandbox.iam_smart.approvals import Approval
from sandbox.iam_smart.codes import MESSAGES
from sandbox.personas import Persona

_FOLDER = Path(__file__).with_name("templates")
_PAGES = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
# No form-action here: a browser would hold the whole chain of redirects after the button against it.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_HTML_LANGUAGES = {"zh-HK": "zh-Hant-HK", "zh-CN": "zh-Hans-CN", "en-US": "en"}


def login(party: str, language: str, fields: Mapping[str, str], holders: Sequence[Persona]) -> Response:
    """Show the broker page: one button per persona, and one to refuse."""
    return _page("login.html", party=party, lang=_HTML_LANGUAGES[language], fields=fields, holders=holders)


def phone(approvals: Sequence[Approval], *, automatic: bool) -> Response:
    """Show the phone: what waits and what was decided."""
    return _page("phone.html", approvals=approvals, automatic=automatic, lang="en")


def refused(code: str) -> Response:
    """Show why the browser's request is not taken; nobody is redirected."""
    return _page("refused.html", status=400, code=code, message=MESSAGES[code], lang="en")


def style() -> Response:
    """Return the pages' style sheet."""
    return Response(
        (_FOLDER / "style.css").read_bytes(), media_type="text/css", headers={"Cache-Control": "max-age=3600"}
    )


def _page(template: str, *, status: int = 200, **context: object) -> Response:
    return HTMLResponse(_PAGES.get_template(template).render(context), status_code=status, headers=_HEADERS)
