"""The simulated people, as a page and as JSON: what is printed on their permits, so that a person can do the errand by hand.

Owns:    `/personas`. Leaves the table to `personas`, the machine-readable zone to `mrz`.
"""

import html

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.mrz import permit_mrz
from sandbox.personas import PERSONAS, Persona

PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Personas (simulated)</title>'
    '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/iam-smart/style.css"></head>'
    "<body><main><h1>Personas <small>simulated</small></h1><p>Nobody here exists. Numbers are synthetic.</p>{rows}</main></body></html>"
)


def build_persona_routes() -> list[BaseRoute]:
    """Return `GET /personas`: a page for a browser, else JSON."""

    async def personas(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(PAGE.format(rows="".join(_section(persona) for persona in PERSONAS.values())))
        return JSONResponse({"simulated": True, "personas": [_view(persona) for persona in PERSONAS.values()]})

    return [Route("/personas", personas)]


def _view(persona: Persona) -> dict[str, object]:
    return {
        "id": persona.id,
        "region": persona.region.value,
        "name": persona.name_latin,
        "name_chinese": persona.name_chinese,
        "permit_number": persona.permit_number,
        "mrz": list(permit_mrz(persona)),
    }


def _section(persona: Persona) -> str:
    title = f"<h2>{html.escape(f'{persona.name_chinese} {persona.name_latin}')}</h2>"
    lines = "\n".join(permit_mrz(persona))
    permit = (
        "no permit" if persona.permit_number is None else f"permit <code>{html.escape(persona.permit_number)}</code>"
    )
    return f"{title}<p>{html.escape(persona.id)} · {permit}</p>" + (f"<pre>{html.escape(lines)}</pre>" if lines else "")
