"""What a copy button puts into the clipboard is the code shown, and prints what is shown.

It runs beside what these tests need themselves, so this does not prove that a page names
every package that its code imports.
"""

import ast
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from measured import rows
from measured.frameworks.__main__ import fingerprint
from playwright.sync_api import Page

from .conftest import CASES, PAGES, SITE
from .runner import run_alone

Block = dict[str, Any]
TEXTS = {page: (SITE / page).read_text(encoding="utf-8") for page in PAGES}
WITH_CODE = [page for page in PAGES if "<pre" in TEXTS[page]]
DOWNLOADS = [page for page in PAGES if "_downloads/" in TEXTS[page]]
SCRIPTS = [page for page in DOWNLOADS if "auto_examples/" in page]
# What nobody pastes into an interpreter, and so has no button: the output of a program
# and of a cell, the source of a page, and that of the library, which is installed.
NO_CODE = ("none", "myst-ansi", "markdown", "listing")
# What the scripts print that take a library which is not here: nox -s frameworks.
RECORD = rows.read(SITE.parents[1] / "measured" / "frameworks" / "scripts.jsonl")


def programs(page: Page) -> list[list[Block]]:
    """Press every button of a page, and return the programs, with what they show."""
    page.locator("button.copybtn").first.wait_for()
    found: dict[object, list[Block]] = {}
    for block in page.evaluate("probe.blocks()"):
        assert (block["copied"] is None) == (block["language"] in NO_CODE), block
        if block["language"] not in NO_CODE:
            found.setdefault(block["program"], []).append(last := block)
        elif block["language"] != "markdown":
            last["shown"] += f"{block['text']}\n"
    return list(found.values())


def run_command(block: Block, folder: Path) -> None:
    """Run what is copied from a console, if the page shows what it prints."""
    command = re.match(r"\$ ((?:.*\\\n)*.*)", block["text"])[1]
    assert block["copied"] == command
    printed = ""  # it installs something, or builds the site: not for a test to do
    ours = command.startswith(("python -m label_smoothing", "label-smoothing "))
    if ours and block["text"] != f"$ {command}":
        ran = subprocess.run(
            command.replace("python", sys.executable, 1),
            shell=True,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        printed = ran.stdout
    assert f"$ {command}\n{printed}" == f"{block['text']}\n"


@pytest.mark.parametrize("path", WITH_CODE)
def test_what_is_copied_runs(page: Page, tmp_path: Path, path: str) -> None:
    page.goto(path)
    if path.startswith("_modules/"):  # the source of the library is not for copying
        assert {b["language"] for b in page.evaluate("probe.blocks()")} == {"listing"}
        assert page.locator("button.copybtn").count() == 0
        return
    for number, program in enumerate(programs(page)):
        language = program[0]["language"]
        parts = [block["copied"] for block in program]
        for text in parts:
            assert text.replace("\n", "").isprintable()
            assert not re.search(r"^(>>>|\.\.\.|\$)", text, re.MULTILINE)
        if language == "console":
            run_command(program[0], tmp_path)
            continue
        if name := re.match(r"# (\w+\.py)\n", parts[0]):  # for the commands below it
            (tmp_path / name[1]).write_text(f"{parts[0]}\n", encoding="utf-8")
        assert parts == [block["code"] for block in program]
        shown = [block["shown"].strip("\n") for block in program]
        if program[0]["recorded"]:
            ran = [
                row
                for row in RECORD
                if row["sha256"] == fingerprint(f"{parts[0]}\n", row)
            ]
            assert shown == ["\n".join(row["printed"]) for row in ran]
            continue
        assert run_alone(*parts, typed=language == "default") == shown
        if path in CASES["plain"] and number == 0:
            plain = subprocess.check_output([sys.executable, "-c", parts[0]], text=True)
            assert plain.strip("\n") == shown[0]
        notes = [block["note"] for block in program]
        assert notes == [len(parts) > 1] + [False] * (len(parts) - 1)


# The code of these pages runs above. Here the files have the same code.


def test_every_download_has_a_page() -> None:
    files = {p.name for p in (SITE / "_downloads").rglob("*") if p.is_file()}
    linked = "".join(TEXTS[page] for page in DOWNLOADS)
    assert files == set(re.findall(r'href="[^"]*_downloads/\w+/([\w.]+)"', linked))


def downloads(page: Page) -> dict[str, bytes]:
    """Follow every link to a file, and return the files by their endings."""
    found = {}
    for link in page.locator("article a[href*=_downloads]").all():
        with page.expect_download() as download:
            link.click()
        name = download.value.suggested_filename
        assert link.get_attribute("href").endswith(f"/{name}")
        assert Path(name).suffix not in found
        found[Path(name).suffix] = download.value.path().read_bytes()
    return found


def cells(notebook: bytes) -> list[str]:
    """Return the code of a notebook, which Jupyter opens with Python."""
    found = json.loads(notebook)
    assert found["nbformat"] == 4
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    code = [cell["source"] for cell in found["cells"] if cell["cell_type"] == "code"]
    return ["".join(lines).strip("\n") for lines in code]


def texts(page: Page, language: str) -> list[str]:
    blocks = page.evaluate("probe.blocks(false)")
    return [b["text"].strip("\n") for b in blocks if b["language"] == language]


@pytest.mark.parametrize("path", SCRIPTS)
def test_a_script_and_its_notebook_are_the_page(page: Page, path: str) -> None:
    page.goto(path)
    files, shown = downloads(page), texts(page, "Python")
    with ZipFile(io.BytesIO(files.pop(".zip"))) as archive:
        packed = {Path(name).suffix: archive.read(name) for name in archive.namelist()}
    assert files.keys() == packed.keys() == {".py", ".ipynb"}
    assert cells(files[".ipynb"]) == cells(packed[".ipynb"]) == shown
    assert files[".py"] == packed[".py"]
    docstring, *script = ast.parse(files[".py"]).body
    assert isinstance(ast.literal_eval(docstring.value), str)
    code = ast.parse("\n".join(shown)).body
    assert list(map(ast.dump, script)) == list(map(ast.dump, code))


def test_the_notebook_is_its_page(page: Page) -> None:
    page.goto("learn/gather_form.html")
    assert cells(downloads(page)[".ipynb"]) == texts(page, "ipython3")


@pytest.mark.parametrize("path", ["index.html", "learn/demo.html"])
def test_the_losses_run_without_the_package(page: Page, path: str) -> None:
    page.goto(path)
    losses = downloads(page)[".py"].decode()
    without = "import sys\n\nsys.modules['label_smoothing'] = None\n"
    snippet = texts(page, "python")[0]
    use, found = re.subn("(?m)^from label_smoothing import .*$", "", snippet)
    assert found == 1
    assert run_alone(without, losses, use)[2] == texts(page, "none")[0]
