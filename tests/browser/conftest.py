"""The built site, served, and a browser that looks at it."""

import functools
import multiprocessing
import shutil
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from . import runner

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
# Each program is a copy of a process that has loaded torch: to load it takes seconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["matplotlib.pyplot", "torch"])
# Stands between the outputs of two parts of a program.
MARK = "-- the next part --"
PageWith = Callable[..., tuple[Page, list[str]]]
Run = Callable[..., list[str]]


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
    """The chromium of the system, or else Playwright's own."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        try:
            chromium = playwright.chromium.launch(executable_path=found)
        except Error as error:
            advice = "install chromium, or run python -m playwright install chromium"
            pytest.fail(f"no browser at {found}: {advice} ({error.message})")
        yield chromium
        chromium.close()


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
    page.goto("about:blank")  # what is loaded again is scrolled again
    page.mouse.move(-1, -1)
    page.set_viewport_size({"width": 1280, "height": 720})
    page.emulate_media(color_scheme="light", forced_colors="none")
    complaints.clear()
    yield page
    assert complaints == []


def with_options(**options: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", [options], indirect=True, ids=[""])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the parts of a program, and return what each of them prints."""

    def run(parts: list[str], typed: bool = False, fails: bool = False) -> list[str]:
        folder = tempfile.mkdtemp(dir=tmp_path)
        path = Path(folder, "typed.txt" if typed else "program.py")
        path.write_text(f'\n\nprint("{MARK}")\n'.join(parts) + "\n", encoding="utf-8")
        process = PROCESSES.Process(target=runner.run, args=(path,))
        process.start()
        process.join()
        printed = Path(f"{path}.out").read_text(encoding="utf-8")
        assert bool(process.exitcode) == fails, printed
        return [part.strip("\n") for part in printed.split(MARK)]

    return run
