"""The built site, served, and a browser that looks at it."""

import functools
import shutil
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
PROBES = HERE / "probes.js"
MODULES = HERE / "node_modules"
SITE = HERE.parents[1] / "docs" / "_build" / "html"
# The paths of all pages. What lies in _static belongs to no page of ours.
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "_static" not in path.relative_to(SITE).parts
)
CASES = tomllib.loads((HERE / "pages.toml").read_text(encoding="utf-8"))
PageWith = Callable[..., tuple[Page, list[str]]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pictures", action="store_true", help="take a picture of each page"
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of the built site."""
    if not (SITE / "index.html").exists():
        pytest.fail(f"there is no site in {SITE}: run nox -s docs first")
    handler = functools.partial(Quiet, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The chromium of the system, or else Playwright's own, which says how to get it."""
    found = shutil.which("chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=found) as chromium,
    ):
        yield chromium


@pytest.fixture(scope="session")
def page_with(browser: Browser, site: str) -> PageWith:
    """Open a page for each set of options, once, and collect what is wrong with it."""

    @functools.cache
    def page_with(*options: tuple[str, object]) -> tuple[Page, list[str]]:
        still = {"base_url": site, "reduced_motion": "reduce"}
        context = browser.new_context(**still, **dict(options))
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.add_init_script(path=PROBES)
        page = context.new_page()
        found: list[str] = []

        def tell(what: str, wrong: bool = True) -> None:
            found.extend([f"{page.url}: {what}"] * wrong)

        page.on("console", lambda m: tell(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: tell(str(error)))
        page.on("request", lambda r: tell(f"asks {r.url}", not r.url.startswith(site)))
        page.on("response", lambda r: tell(f"{r.status}: {r.url}", r.status >= 400))
        # A page that is left gives up what it still waits for: that is no failure.
        left = "net::ERR_ABORTED"
        page.on("requestfailed", lambda r: tell(f"no {r.url}", r.failure != left))
        return page, found

    return page_with


@pytest.fixture
def page(page_with: PageWith, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without errors; a test may name the options of its browser context."""
    page, complaints = page_with(*getattr(request, "param", {}).items())
    page.mouse.move(-1, -1)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(color_scheme="light", forced_colors="none")
    yield page
    page.goto("about:blank")  # so an error that comes late belongs to this test
    found = complaints.copy()
    complaints.clear()
    assert found == []


def with_options(**options: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", [options], indirect=True, ids=[""])
