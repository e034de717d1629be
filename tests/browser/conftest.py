"""The built site, served, and a browser that looks at it."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
MODULES = Path(__file__).parent / "node_modules"
# The paths of all pages. What lies in _static belongs to no page of ours.
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "_static" not in path.relative_to(SITE).parts
)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of the built site."""
    if not (SITE / "index.html").exists():
        pytest.fail(f"there is no site in {SITE}: run nox -s docs first")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The chromium of the system, or else Playwright's own."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        try:
            chromium = playwright.chromium.launch(executable_path=found)
        except Error as error:
            pytest.fail(
                f"no browser at {found}: install chromium, or run "
                f"python -m playwright install chromium ({error.message})"
            )
        yield chromium
        chromium.close()


@contextmanager
def watched(
    browser: Browser, site: str, **options: Any
) -> Iterator[tuple[Page, list[str]]]:
    """Open a page, and collect its errors and what it asks of others than the site."""
    context = browser.new_context(base_url=site, reduced_motion="reduce", **options)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    complaints: list[str] = []

    def complain(what: str) -> None:
        complaints.append(f"{page.url}: {what}")

    page.on("console", lambda m: complain(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda error: complain(str(error)))
    # A page that is left gives up what it still waits for: that is no failure.
    page.on(
        "requestfailed",
        lambda r: (
            None if r.failure == "net::ERR_ABORTED" else complain(f"failed: {r.url}")
        ),
    )
    page.on(
        "request",
        lambda r: None if r.url.startswith(site) else complain(f"asks {r.url}"),
    )
    page.on(
        "response",
        lambda r: complain(f"{r.status}: {r.url}") if r.status >= 400 else None,
    )
    yield page, complaints
    context.close()


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    """A page of its own for each test, without errors."""
    with watched(browser, site) as (page, complaints):
        yield page
    assert complaints == []
