"""What a copy button puts into the clipboard is the code shown, and prints what is shown.

It runs beside what these tests need themselves, so this does not prove that a page names
every package that its code imports.
"""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page

from .conftest import SITE

Block = dict[str, Any]
PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if "<pre" in path.read_text(encoding="utf-8")
)
DOWNLOADS = [
    page for page in PAGES if "_downloads/" in (SITE / page).read_text(encoding="utf-8")
]
DOCS = Path(__file__).parents[2] / "docs"
SCRIPTS = DOCS / "guides" / "frameworks"
# What nobody pastes into an interpreter, and so has no button.
NO_CODE = {
    "none": "an output",
    "myst-ansi": "an output of a cell",
    "markdown": "the source of a page",
    "listing": "the source of the library, which is installed",
}
PROMPTS = (">>> ", "... ")
# Every block, the program that it is a part of, and whether a note stands above it.
BLOCKS = r"""() => [...document.querySelectorAll("article pre")].map((pre, number) => {
  const box = pre.parentElement.parentElement;
  const cell = pre.closest(".cell");
  const language = /highlight-([\w-]+)/.exec(box.className)?.[1] ?? "listing";
  const page = cell || language === "Python";
  const entry = pre.closest("dd")?.previousElementSibling.id;
  return {
    language,
    text: pre.textContent,
    button: pre.parentElement.querySelector(".copybtn") !== null,
    program: page ? "page" : language === "default" ? entry : number,
    ran: box.matches(".ran"),
    note: (cell ?? box).previousElementSibling?.matches(".goes-on") ?? false,
  };
})"""
# Each program runs in a process of its own, which has loaded torch and matplotlib and run
# nothing yet: to load them anew for each takes minutes.
RUNNER = """
import code, os, runpy, sys, traceback
import matplotlib.pyplot, torch

for line in sys.stdin:
    path = line.strip()
    if process := os.fork():
        print(os.waitpid(process, 0)[1], flush=True)
        continue
    os.chdir(os.path.dirname(path))
    out = os.open(path + ".out", os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.dup2(out, 2)
    status = 0
    try:
        if path.endswith(".py"):
            runpy.run_path(path, run_name="__main__")
        else:
            session = code.InteractiveConsole({"__name__": "__main__"})
            with open(path) as typed:
                for line in typed:
                    session.push(line.rstrip("\\n"))
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    os._exit(status)  # to take down a copy of torch takes seconds
"""
# Stands between the outputs of two parts of a program.
MARK = "-- the next part --"
Run = Callable[..., list[str]]


@pytest.fixture(scope="module")
def runner() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-c", RUNNER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        yield process
        process.stdin.close()


@pytest.fixture
def run(runner: subprocess.Popen[str], tmp_path: Path) -> Run:
    """Run the parts of a program, and return what each of them prints."""
    numbers = itertools.count()

    def run(parts: list[str], typed: bool = False) -> list[str]:
        folder = tmp_path / f"program{next(numbers)}"
        folder.mkdir()
        path = folder / ("typed.txt" if typed else "program.py")
        path.write_text(f'\n\nprint("{MARK}")\n'.join(parts) + "\n", encoding="utf-8")
        print(path, file=runner.stdin, flush=True)
        status = runner.stdout.readline()
        printed = Path(f"{path}.out").read_text(encoding="utf-8")
        assert status == "0\n", printed
        return [part.strip("\n") for part in printed.split(MARK)]

    return run


def copied(page: Page, number: int) -> str:
    """Press a button, and return what lands in the clipboard."""
    page.evaluate("navigator.clipboard.writeText('')")
    page.locator("button.copybtn").nth(number).click()
    page.wait_for_function("async () => await navigator.clipboard.readText()")
    text = page.evaluate("navigator.clipboard.readText()")
    assert isinstance(text, str)
    return text


def programs(page: Page) -> list[list[Block]]:
    """Press every button of a page, and return the programs, with what they show."""
    page.locator("button.copybtn").first.wait_for()
    found: dict[object, list[Block]] = {}
    buttons = itertools.count()
    for block in page.evaluate(BLOCKS):
        assert block["button"] == (block["language"] not in NO_CODE), block
        if block["button"]:
            code, shown = block["text"].removesuffix("\n"), ""
            if block["language"] == "default":  # its output stands in the same block
                lines = block["text"].splitlines()
                code = "\n".join(x[4:] for x in lines if x[:4] in PROMPTS)
                shown = "\n".join(x for x in lines if x[:4] not in PROMPTS)
            last = block | {"code": code, "shown": shown}
            last["copied"] = copied(page, next(buttons))
            found.setdefault(block["program"], []).append(last)
        elif block["language"] != "markdown":
            last["shown"] += block["text"]
    return list(found.values())


def run_command(block: Block, folder: Path) -> None:
    """Run what is copied from a console, if the page shows what it prints."""
    command = re.match(r"\$ ((?:.*\\\n)*.*)\n", block["text"])
    assert command
    assert block["copied"] == command[1]
    if block["copied"].startswith("python -m label_smoothing"):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            block["copied"],
            shell=True,
            cwd=folder,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"$ {block['copied']}\n{ran.stdout}" == block["text"]
    else:  # installs something, or builds the site: that is not for a test to do
        assert f"$ {block['copied']}\n" == block["text"]


def recorded(text: str) -> str:
    """Return what was printed by the script that has this text."""
    scripts = {path.read_text("utf-8"): path.name for path in SCRIPTS.glob("*.py")}
    record = json.loads((DOCS / "scripts.jsonl").read_text("utf-8"))
    return "\n".join(record[scripts[f"{text}\n"]]["printed"])


@pytest.mark.parametrize("path", [p for p in PAGES if not p.startswith("_modules/")])
def test_what_is_copied_runs(page: Page, run: Run, tmp_path: Path, path: str) -> None:
    page.goto(path)
    for program in programs(page):
        language = program[0]["language"]
        parts = [block["copied"] for block in program]
        for text in parts:
            assert text.replace("\n", "").isprintable()
            assert not re.search(r"^(>>>|\.\.\.|\$)", text, re.MULTILINE)
        if language == "console":
            run_command(program[0], tmp_path)
            continue
        assert parts == [block["code"] for block in program]
        shown = [block["shown"].strip("\n") for block in program]
        if program[0]["ran"]:  # with libraries that are not here: nox -s frameworks
            assert shown == [recorded(*parts)]
            continue
        assert run(parts, typed=language == "default") == shown
        notes = [block["note"] for block in program]
        assert notes == [len(parts) > 1] + [False] * (len(parts) - 1)


@pytest.mark.parametrize("path", [p for p in PAGES if p.startswith("_modules/")])
def test_the_source_of_the_library_is_not_for_copying(page: Page, path: str) -> None:
    page.goto(path)
    assert {block["language"] for block in page.evaluate(BLOCKS)} == {"listing"}
    assert page.locator("button.copybtn").count() == 0


@pytest.mark.parametrize(
    "path",
    ["index.html", "learn/gather.html", "guides/shapes.html", "reference/notation.html"],
)
def test_what_is_copied_runs_in_plain_python(
    page: Page, tmp_path: Path, path: str
) -> None:
    page.goto(path)
    block = programs(page)[0][0]
    (tmp_path / "file.py").write_text(block["copied"], encoding="utf-8")
    printed = subprocess.check_output(
        [sys.executable, "file.py"], cwd=tmp_path, text=True
    )
    assert printed.strip("\n") == block["shown"].strip("\n")


def test_every_download_has_a_page() -> None:
    files = {p.name for p in (SITE / "_downloads").rglob("*") if p.is_file()}
    linked = "".join((SITE / page).read_text(encoding="utf-8") for page in DOWNLOADS)
    assert files == set(re.findall(r'href="[^"]*_downloads/\w+/([\w.]+)"', linked))


def downloads(page: Page) -> dict[str, Path]:
    """Follow every link to a file, and return the files by their endings."""
    found = {}
    for link in page.locator("article a[href*=_downloads]").all():
        with page.expect_download() as download:
            link.click()
        name = download.value.suggested_filename
        assert link.get_attribute("href").endswith(f"/{name}")
        assert Path(name).suffix not in found
        found[Path(name).suffix] = download.value.path()
    return found


def cells(notebook: str | bytes) -> list[str]:
    """Return the code of a notebook, which Jupyter opens with Python."""
    found = json.loads(notebook)
    assert found["nbformat"] == 4
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    code = [cell["source"] for cell in found["cells"] if cell["cell_type"] == "code"]
    return ["".join(lines).strip("\n") for lines in code]


def texts(page: Page, *languages: str) -> list[str]:
    blocks = page.evaluate(BLOCKS)
    return [b["text"].strip("\n") for b in blocks if b["language"] in languages]


@pytest.mark.parametrize("path", [p for p in DOWNLOADS if "auto_examples/" in p])
def test_a_script_and_its_notebook_are_the_page(page: Page, run: Run, path: str) -> None:
    page.goto(path)
    files = downloads(page)
    assert files.keys() == {".py", ".ipynb", ".zip"}
    script = files[".py"].read_bytes()
    shown = texts(page, "none")
    assert run([script.decode()]) == ["\n".join(shown)]
    notebook = cells(files[".ipynb"].read_bytes())
    assert notebook == texts(page, "Python")
    assert list(filter(None, run(notebook))) == shown
    with ZipFile(files[".zip"]) as archive:
        packed = {Path(name).suffix: archive.read(name) for name in archive.namelist()}
    assert packed.keys() == {".py", ".ipynb"}
    assert packed[".py"] == script
    assert cells(packed[".ipynb"]) == texts(page, "Python")


def test_the_notebook_is_its_page(page: Page, run: Run) -> None:
    page.goto("learn/gather_form.html")
    notebook = cells(downloads(page)[".ipynb"].read_bytes())
    assert notebook == texts(page, "ipython3")
    assert list(filter(None, run(notebook))) == texts(page, "none", "myst-ansi")


@pytest.mark.parametrize("path", ["index.html", "learn/demo.html"])
def test_the_losses_run_without_the_package(page: Page, run: Run, path: str) -> None:
    page.goto(path)
    losses = downloads(page)[".py"].read_text(encoding="utf-8")
    without = "import sys\n\nsys.modules['label_smoothing'] = None\n"
    snippet = texts(page, "python")[0]
    use, found = re.subn("(?m)^from label_smoothing import .*$", "", snippet)
    assert found == 1
    assert run([without, losses, use])[2] == texts(page, "none")[0]
