"""Let Lighthouse judge four pages, as a phone gets them, into ``lighthouse.json``."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

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
        pass


def judge(address: str, chromium: str) -> dict[str, float]:
    """Return the scores of a page, the bytes it takes and how far its content moves."""
    command = (
        "node", LIGHTHOUSE / "cli" / "index.js", address, "--output=json", "--quiet",
        "--chrome-flags=--headless=new --no-sandbox",
    )  # fmt: skip
    env = os.environ | {"CHROME_PATH": chromium}
    report = json.loads(subprocess.check_output(command, env=env))
    scores = {name: report["categories"][name]["score"] * 100 for name in LEAST}
    return {name: round(score) for name, score in scores.items()} | {
        "bytes": report["audits"]["total-byte-weight"]["numericValue"],
        "shift": report["audits"]["cumulative-layout-shift"]["numericValue"],
    }


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        sys.exit("there is no browser: install chromium")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressing, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"http://127.0.0.1:{server.server_port}/"
    pages = {page: judge(host + page, chromium) for page in PAGES}
    version = subprocess.check_output([chromium, "--version"], text=True)
    found = {
        "lighthouse": json.loads((LIGHTHOUSE / "package.json").read_text())["version"],
        "chromium": version.split()[1],
        "pages": pages,
    }
    text = json.dumps(found, indent=1)
    print(text)
    Path(__file__).with_name("lighthouse.json").write_text(text + "\n", encoding="utf-8")
    failures = [
        f"{page}: {name} {got[name]}"
        for page, got in pages.items()
        for name, least in LEAST.items()
        if got[name] < least
    ]
    failures += [
        f"{page}: shift {got['shift']}" for page, got in pages.items() if got["shift"]
    ]
    if pages["index.html"]["bytes"] > MOST_BYTES:
        failures.append(f"index.html: {pages['index.html']['bytes']} bytes")
    sys.exit("\n".join(failures) or None)


if __name__ == "__main__":
    main()
