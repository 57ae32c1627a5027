"""A page of Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium not installed")


@contextmanager
def chromium_page() -> Iterator[Any]:
    """A page; what went wrong in it is on its `complaints`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        context = browser.new_context(locale="en-GB", ignore_https_errors=True)  # it does not know our test CA
        made = context.new_page()
        made.set_default_timeout(20_000)
        made.complaints = []
        made.on("console", lambda message: made.complaints.append(message.text) if message.type == "error" else None)
        yield made
        browser.close()


def sign_in_by_hand(page: Any, *, decision: str = "agree") -> None:
    """What a person does on the provider's pages."""
    page.click('a[href="/login/with/iam_smart"]')
    page.click(f'button[value="{decision}"]')
