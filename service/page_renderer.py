"""Pages for people: templates of all packages, four languages, and the headers that every page carries.

Owns:    the Jinja2 environment, message catalogues, the choice of language, security headers, `/static`.
Leaves:  what a page says to the packages' templates (`<package>/pages/<package>_<name>.html`).
Rules:   1 the language is the one the person chose (`lang` cookie), else the portal's `ui_locales`, else the browser's, else zh-Hant
         2 autoescape always; no inline script or style; nothing is loaded from another host
         3 personal pages are not stored by any cache
Spec:    OpenID Connect Core cl. 3.1.2.1 (ui_locales); RFC 9110 cl. 12.5.4; CSP Level 3; WCAG 2.2 cl. 3.1.1
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode

from babel.messages.pofile import read_po
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

LANGUAGES: Mapping[str, str] = {"zh-Hant": "繁體中文", "zh-Hans": "简体中文", "pt": "Português", "en": "English"}
DEFAULT_LANGUAGE = "zh-Hant"
LANGUAGE_COOKIE = "lang"
LANGUAGE_COOKIE_SECONDS = 365 * 86_400

_ALIASES = {
    "zh": "zh-Hant", "zh-hk": "zh-Hant", "zh-mo": "zh-Hant", "zh-tw": "zh-Hant", "zh-hant": "zh-Hant",
    "zh-cn": "zh-Hans", "zh-sg": "zh-Hans", "zh-hans": "zh-Hans", "pt": "pt", "pt-pt": "pt", "pt-br": "pt", "pt-mo": "pt",
    "en": "en", "en-hk": "en", "en-gb": "en", "en-us": "en",
}  # fmt: skip

NOT_REPEATED = frozenset(
    {"lang", "code", "client_assertion", "code_verifier", "client_secret", "permit_code", "persona"}
)
"""Parameters of an address that a page's own links never repeat: another language, and what serves once or is secret."""

BASE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
)

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*:(//[A-Za-z0-9.:\[\]_-]+)?")


class PageRenderer:
    """Renders `template` in the reader's language; the packages see it as their `PageRenderer` protocol."""

    def __init__(self, packages: Sequence[Path], *, demo: bool = False) -> None:
        """Load templates and catalogues.

        Args:
            packages: package folders that may hold `pages/` and `translations/`; this package's own comes first.
            demo: pages say that the installation is a demonstration.
        """
        self._catalogues = {language: _catalogue(packages, language) for language in LANGUAGES}
        self._environment = Environment(
            loader=FileSystemLoader([folder / "pages" for folder in packages if (folder / "pages").is_dir()]),
            autoescape=select_autoescape(default=True),
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._demo = demo

    def __call__(
        self, request: Request, template: str, context: Mapping[str, object], *, status: int = 200
    ) -> Response:
        """Render one page.

        A form whose answer redirects to another origin (consent to the portal) names that origin in the context's `form_targets`:
        browsers hold the redirect against CSP `form-action` too. `frame_sources` are the origins that the page may frame (logout).
        """
        language = choose_language(request, context.get("ui_locales"))
        catalogue = self._catalogues[language]

        def translate(text: str, **values: object) -> str:
            translated = catalogue.get(text, text)
            return translated % values if values else translated

        shown = {
            "refresh_s": None,
            "refresh_url": None,
            **context,
            "_": translate,
            "language": language,
            "languages": _language_links(request),
            "demo": self._demo,
        }
        html = self._environment.get_template(template).render(shown)
        response = HTMLResponse(html, status, headers={**BASE_HEADERS, "Content-Security-Policy": _policy(context)})
        response.headers["Content-Language"] = language
        if _asked_language(request) in LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE,
                language,
                max_age=LANGUAGE_COOKIE_SECONDS,
                httponly=True,
                samesite="lax",
                secure=request.url.scheme == "https",
            )
        return response


def _policy(context: Mapping[str, object]) -> str:
    policy = CSP + " ".join(("form-action 'self'", *_origins(context.get("form_targets"))))
    frames = _origins(context.get("frame_sources"))
    return f"{policy}; frame-src {' '.join(frames)}" if frames else policy


def _origins(value: object) -> list[str]:
    """Return the origins (or an app's own schemes) that may stand in a policy: one that could end its directive is left out."""
    return (
        [str(origin) for origin in value if _ORIGIN.fullmatch(str(origin))] if isinstance(value, tuple | list) else []
    )


def choose_language(request: Request, ui_locales: object = None) -> str:
    """Return one of `LANGUAGES` for this reader (rule 1; a `lang` in the address is a choice just made)."""
    for chosen in (_asked_language(request), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in LANGUAGES:
            return str(chosen)
    asked = str(ui_locales).split() if isinstance(ui_locales, str) else []
    accepted = [part.split(";")[0].strip() for part in request.headers.get("accept-language", "")[:200].split(",")]
    for tag in (*asked, *accepted):
        known = _ALIASES.get(tag.lower()) or _ALIASES.get("-".join(tag.lower().split("-")[:2]))
        if known is not None:
            return known
    return DEFAULT_LANGUAGE


def _asked_language(request: Request) -> str | None:
    return request.query_params.get("lang") if b"lang=" in request.scope["query_string"] else None


def static_routes(packages: Mapping[str, Path]) -> list[Mount]:
    """Return the mounts that serve each package's `pages/static` folder under /static/<package>."""
    return [
        Mount(f"/static/{name}", StaticFiles(directory=folder / "pages" / "static"))
        for name, folder in packages.items()
        if (folder / "pages" / "static").is_dir()
    ]


def _language_links(request: Request) -> list[tuple[str, str, str]]:
    """Return this page's own address in each language; a page shown by POST falls back to its path alone."""
    query = request.scope["query_string"].decode("ascii", "replace")
    pairs = [(name, value) for name, value in parse_qsl(query) if name not in NOT_REPEATED]
    path, rest = quote(request.scope["path"], safe="/:@!$&'()*+,;=~-._"), urlencode(pairs)
    start = f"{path}?{rest}&lang=" if rest else f"{path}?lang="
    return [(code, name, start + code) for code, name in LANGUAGES.items()]


def _catalogue(packages: Sequence[Path], language: str) -> dict[str, str]:
    messages: dict[str, str] = {}
    for folder in packages:
        path = folder / "translations" / f"{language.replace('-', '_')}.po"
        if not path.exists():
            continue
        with path.open("rb") as file:
            for message in read_po(file):
                if message.id and message.string:
                    messages[str(message.id)] = str(message.string)
    return messages
