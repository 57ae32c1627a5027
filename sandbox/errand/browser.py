"""A citizen's browser without a window: cookies, redirects, forms and waiting pages over real HTTP.

Owns:    `Browser`, `Page`, `Form`. It fills in what a person would; it reads nothing but what a page shows.
Rules:   1 redirects are followed one by one, at most `MAX_REDIRECTS`, so that a step can stop at an address
         2 a page that says `refresh` is waited for, within `WAIT_S`
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx

MAX_REDIRECTS = 20
WAIT_S = 25.0
POLL_S = 0.15


@dataclass(frozen=True, slots=True)
class Form:
    """One form: where it goes, its hidden and preset fields, and its submit buttons as (name, value)."""

    action: str
    method: str
    fields: Mapping[str, str]
    buttons: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One answer as the person sees it."""

    url: str
    status: int
    html: str
    content_type: str
    forms: tuple[Form, ...] = ()
    refresh_s: float | None = None
    marked: Mapping[str, str] = field(default_factory=dict)
    """Text of elements with an id."""


class Browser:
    """One person's browser."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._rewrite: Callable[[str], str] = lambda url: url

    def on_redirect(self, rewrite: Callable[[str], str]) -> None:
        """Let the person's address bar change an address before it is opened (choosing a persona at a simulator)."""
        self._rewrite = rewrite

    async def open(self, url: str, *, stop: Callable[[str], bool] | None = None) -> Page:
        """Open an address and follow redirects; with `stop`, return before opening an address that it accepts."""
        return await self._follow(await self._client.get(self._rewrite(url)), stop)

    async def submit(
        self,
        page: Page,
        values: Mapping[str, str] | None = None,
        *,
        button: str | None = None,
        stop: Callable[[str], bool] | None = None,
    ) -> Page:
        """Submit the page's form that has `button` (a value), or its only one.

        Raises:
            LookupError: the page has no such form.
        """
        form = _choose(page, button)
        pressed = next((pair for pair in form.buttons if pair[1] == button), None)
        data = {**form.fields, **(values or {}), **({pressed[0]: pressed[1]} if pressed and pressed[0] else {})}
        address = urljoin(page.url, form.action)
        if form.method == "get":
            return await self._follow(await self._client.get(self._rewrite(address), params=data), stop)
        headers = {"Origin": _origin(page.url), "Referer": page.url}
        return await self._follow(await self._client.post(address, data=data, headers=headers), stop)

    async def wait(self, page: Page, *, stop: Callable[[str], bool] | None = None) -> Page:
        """Reload a waiting page until it no longer asks for it.

        Raises:
            TimeoutError: it never stopped.
        """
        deadline = time.monotonic() + WAIT_S
        while page.refresh_s is not None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page at {page.url.split('?')[0]} keeps waiting")
            await asyncio.sleep(min(POLL_S, page.refresh_s))
            page = await self.open(page.url, stop=stop)
        return page

    async def _follow(self, response: httpx.Response, stop: Callable[[str], bool] | None) -> Page:
        for _ in range(MAX_REDIRECTS):
            if not response.is_redirect:
                return read_page(str(response.url), response)
            target = self._rewrite(urljoin(str(response.url), response.headers["location"]))
            if stop is not None and stop(target):
                return Page(target, response.status_code, "", "")
            response = await self._client.get(target)
        raise TimeoutError("redirected in circles")


def read_page(url: str, response: httpx.Response) -> Page:
    """Return what a person could see and press."""
    content_type = response.headers.get("content-type", "").split(";")[0]
    if content_type != "text/html":
        return Page(url, response.status_code, response.text, content_type)
    reader = _Reader()
    reader.feed(response.text)
    return Page(
        url, response.status_code, response.text, content_type, tuple(reader.forms), reader.refresh_s, reader.marked
    )


def _choose(page: Page, button: str | None) -> Form:
    for form in page.forms:
        if button is None or any(value == button for _, value in form.buttons):
            return form
    raise LookupError(
        f"the page at {page.url.split('?')[0]} (status {page.status}) has no form to press {button or ''}"
    )


def _origin(url: str) -> str:
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode()}"


class _Reader(HTMLParser):
    """Collects forms, refresh and marked texts."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.refresh_s: float | None = None
        self.marked: dict[str, str] = {}
        self._form: tuple[str, str, dict[str, str], list[tuple[str, str]]] | None = None
        self._marks: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.refresh_s = float(values["content"].split(";")[0])
        if tag == "form":
            self._form = (values.get("action", ""), values.get("method", "get").lower(), {}, [])
        elif self._form is not None and tag in ("input", "button"):
            self._take_control(tag, values, self._form)
        if "id" in values and tag not in ("input", "meta", "link", "br", "img", "hr"):
            self._marks.append((tag, values["id"]))
            self.marked[values["id"]] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._form is not None:
            action, method, fields, buttons = self._form
            self.forms.append(Form(action, method, fields, tuple(buttons)))
            self._form = None
        if self._marks and self._marks[-1][0] == tag:
            self._marks.pop()

    def handle_data(self, data: str) -> None:
        for _, mark in self._marks:
            self.marked[mark] = f"{self.marked[mark]} {data.strip()}".strip()

    @staticmethod
    def _take_control(
        tag: str, values: dict[str, str], form: tuple[str, str, dict[str, str], list[tuple[str, str]]]
    ) -> None:
        kind = values.get("type", "submit" if tag == "button" else "text")
        name = values.get("name", "")
        if kind == "submit":
            form[3].append((name, values.get("value", "")))
        elif kind in ("checkbox", "radio"):
            if "checked" in values and name:
                form[2][name] = values.get("value", "on")
        elif name:
            form[2][name] = values.get("value", "")
