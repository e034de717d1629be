"""Let Lighthouse judge four pages, as a phone gets them: ``nox -s lighthouse``."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from measured import rows

ROOT = Path(__file__).parents[3]
SITE = ROOT / "docs" / "_build" / "html"
LIGHTHOUSE = ROOT / "tests" / "browser" / "node_modules" / "lighthouse"
PAGES = (
    "index.html",
    "learn/derivation.html",
    "auto_examples/1_targets/plot_3_mix.html",
    "reference/api/losses.html",
)
LEAST = {"performance": 95, "accessibility": 100, "best-practices": 100, "seo": 100}
MOST_BYTES = 300_000  # of the front page


class Compressing(SimpleHTTPRequestHandler):
    """What a host does, and Python's server does not: compress text."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a file."""
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        kind, content = self.guess_type(path), path.read_bytes()
        self.send_response(200)
        if kind.startswith("text/") or kind.endswith(("javascript", "json", "xml")):
            content = gzip.compress(content)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def judge(host: str, page: str, chromium: str) -> rows.Row:
    """Return the scores of a page, the bytes it takes and how far its content moves."""
    command = (
        "node", LIGHTHOUSE / "cli" / "index.js", host + page, "--output=json", "--quiet",
        "--chrome-flags=--headless=new --no-sandbox",
    )  # fmt: skip
    env = os.environ | {"CHROME_PATH": chromium}
    report = json.loads(subprocess.check_output(command, env=env))
    scores = {name: round(report["categories"][name]["score"] * 100) for name in LEAST}
    audits = {"bytes": "total-byte-weight", "shift": "cumulative-layout-shift"}
    found = {name: report["audits"][of]["numericValue"] for name, of in audits.items()}
    return {"page": page} | scores | found


def failures(judged: Iterable[rows.Row]) -> Iterator[str]:
    """Say of each page what is worse than it may be."""
    for row in judged:
        low = [name for name, least in LEAST.items() if row[name] < least]
        heavy = row["page"] == PAGES[0] and row["bytes"] > MOST_BYTES
        for name in [*low, *["shift"] * bool(row["shift"]), *["bytes"] * heavy]:
            yield f"{row['page']}: {name} {row[name]}"


def main() -> None:
    """Judge the site that is built, write the scores, and fail if one is too low."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("there is no browser: install chromium")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressing, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"http://127.0.0.1:{server.server_port}/"
    judged = [judge(host, page, chromium) for page in PAGES]
    version = subprocess.check_output([chromium, "--version"], text=True).split()[1]
    release = json.loads((LIGHTHOUSE / "package.json").read_text())["version"]
    browser = {"lighthouse": release, "chromium": version}
    rows.write(Path(__file__).with_name("pages.csv"), judged, browser)
    print(*judged, sep="\n")
    sys.exit("\n".join(failures(judged)) or None)


if __name__ == "__main__":
    main()
