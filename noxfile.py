#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.5.1"]
# ///
"""Everything this project runs: ``nox -s docs``, ``nox -s tests``, ``nox -s lint``."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "tests", "site_tests", "docs"]
nox.options.reuse_existing_virtualenvs = True
# pip, unlike uv, reads the indexes that a machine is set up with, and so finds its torch.
nox.options.default_venv_backend = "virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PINS = Path("constraints.txt")
PINNED = ("-c", str(PINS))
TORCH = re.compile(r"--torch=(newest|\d+\.\d+\.\d+)")
NEWEST = ("--upgrade", "--upgrade-strategy", "eager")
# One thread adds in one order, so the printed digits do not depend on the machine.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
STRICT = ("-W", "--keep-going", "-n", "-T", "-q")


def install(session: nox.Session, *groups: str, options: Sequence[str] = ()) -> None:
    """Install the package and some groups of what it is worked on with."""
    needed = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(*(options or pinned(session)), "-e", ".[figures]", *needed)
    session.env.update(ONE_THREAD)


def pinned(session: nox.Session) -> Sequence[str]:
    """Return the pins, with the torch that ``-- --torch=`` asks for."""
    asked = next(filter(None, map(TORCH.fullmatch, session.posargs)), None)
    if not asked:
        return PINNED
    pin = "" if asked[1] == "newest" else f"torch=={asked[1]}\n"
    pins = Path(session.create_tmp(), PINS)
    # Each torch wants a sympy of its own.
    pins.write_text(pin + re.sub(r"(?m)^(torch|sympy)==.*\n", "", PINS.read_text()))
    return ("-c", str(pins), *NEWEST)


def install_docs(session: nox.Session, *options: str) -> None:
    """Install what builds the site, if nothing is given that it does not know."""
    given = [word for word in session.posargs if word not in options]
    if given and not (len(given) == 1 and TORCH.fullmatch(given[0])):
        expected = ", ".join(["--torch=2.14.1", "--torch=newest", *options])
        session.error(f"expected one of {expected}; given {' '.join(given)}")
    install(session, "docs")


def build(
    session: nox.Session,
    *options: str,
    builder: str = "html",
    root: Path = Path(),
    **env: str | None,
) -> bool:
    """Build the site under ``root`` from nothing and verify it; say if it passed."""
    env["PYTHONPATH"] = str((root / "src").resolve())
    env["CUDA_VISIBLE_DEVICES"] = ""  # its threads would not outlive a fork
    options = ("-M", builder, "docs", "docs/_build", *STRICT, *options)
    with session.chdir(root):
        # Old output must not survive a change in src/. What looks at the site needs html.
        for path in (Path("docs/auto_examples"), *Path("docs/_build").glob("*")):
            if path.name != "html" or builder == "html":
                shutil.rmtree(path, ignore_errors=True)
        try:
            session.run("sphinx-build", *options, env=env)
        except nox.command.CommandFailed:
            return False
    return True


def copy(root: Path) -> None:
    """Copy what belongs to the repository to another place."""
    listed = ("git", "ls-files", "-co", "--exclude-standard", "-z")
    files = subprocess.check_output(listed, text=True).split("\0")
    for file in filter(os.path.exists, files):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, root / file)


def build_alike(session: nox.Session, settings: list[dict[str, str | None]]) -> None:
    """Build the site under each of the settings, in folders of their own, and compare."""
    install_docs(session)
    failures, sites = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number, env in enumerate(settings):
            root = Path(folder, *[f"build{number}"] * (number + 1))
            copy(root)
            name = " ".join(f"{key}={value}" for key, value in env.items())
            session.log(f"With {name}")
            if not build(session, root=root, **env):
                failures.append(f"{name}: the site is not verified, see above")
            sites.append(root / "docs" / "_build" / "html")
            differ = ("diff", "-r", "--brief", str(sites[0]), str(sites[-1]))
            found = subprocess.run(differ, capture_output=True, text=True, check=False)
            failures += [f"{name}: {line}" for line in found.stdout.splitlines()]
        compared = sum(path.is_file() for path in sites[0].rglob("*"))
    if failures:
        session.error("\n".join(failures))
    session.log(f"{compared} files are the same in all builds, byte for byte")


def measure(session: nox.Session, **env: str | None) -> None:
    """Run the program of docs/measured that has the name of the session."""
    env["PYTHONPATH"] = "docs"
    session.run("python", "-m", f"measured.{session.name}", *session.posargs, env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and markup."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    session.run(
        "sphinx-lint", "--enable=all", "--disable=line-too-long,leaked-markup",
        "-i", "docs/_build", "-i", "docs/auto_examples",
        "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs", "examples", "src",
    )  # fmt: skip


def run_tests(session: nox.Session, *paths: str) -> None:
    """Run the tests of the paths on all cores, or those that ``--`` names on one."""
    given = [word for word in session.posargs if not TORCH.fullmatch(word)]
    # A path has a slash; the word after -k has none, though there is a folder docs.
    words = (word.partition("::")[0] for word in given if "/" in word)
    options = () if any(map(os.path.exists, words)) else ("-n", "auto", *paths)
    session.run("pytest", "--mpl", *options, *given)


@nox.session
def tests(session: nox.Session) -> None:
    """Test the library and its figures; ``-- FILE -k NAME`` runs one test.

    ``-- --torch=2.6.0``, or another, tests the library on that release of PyTorch.
    """
    install(session, "tests")
    # The figures are drawn to be compared with those of one torch.
    figures = () if any(map(TORCH.fullmatch, session.posargs)) else ("tests/figures",)
    run_tests(session, "tests/library", *figures, "src")


@nox.session
def site_tests(session: nox.Session) -> None:
    """Test what verifies the site, and what measures; ``-- FILE`` runs one file."""
    install(session, "site-tests")
    run_tests(session, "tests/verified", "tests/measured")


@nox.session(default=False)
def tests_latest(session: nox.Session) -> None:
    """Run all of these tests on the newest releases of everything."""
    install(session, "site-tests", options=NEWEST)
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into docs/_build/html and verify it; ``-- --record`` its output."""
    install_docs(session, "--record")
    record = ("-D", "record=1") if "--record" in session.posargs else ()
    if not build(session, *record):
        session.error("the site is not verified: see above")
    session.log(f"open {Path('docs/_build/html/index.html').resolve().as_uri()}")


def install_node(session: nox.Session) -> None:
    """Install what judges a site that is there: axe, the checker of HTML, Lighthouse."""
    if not Path("docs/_build/html/index.html").exists():
        session.error("there is no docs/_build/html to look at: run nox -s docs first")
    for program, name in {"npm": "Node.js with npm", "java": "a Java runtime"}.items():
        if not shutil.which(program):
            session.error(f"there is no {program}: install {name}")
    # The script of the checker would fetch a Java runtime of its own.
    options = ("--ignore-scripts", "--no-audit", "--no-fund")
    session.run("npm", "ci", "--prefix", "tests/browser", *options, external=True)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Try the built site in a browser; ``-- --pictures`` takes one of each page."""
    install_node(session)
    install(session, "browser")
    options = ("-n", "auto", "--dist", "worksteal")
    session.run("pytest", "tests/browser", *options, *session.posargs)


@nox.session(default=False)
def lighthouse(session: nox.Session) -> None:
    """Have Lighthouse judge the site that is built, into docs/measured."""
    install_node(session)
    measure(session)


@nox.session(default=False)
def linkcheck(session: nox.Session) -> None:
    """Follow the links that leave the site."""
    install(session, "docs")
    if not build(session, builder="linkcheck"):
        session.error("a link is broken: see above")


@nox.session(default=False)
def prove(session: nox.Session) -> None:
    """Flip each digit of each number of the site, and demand that it is caught.

    ``-- --record`` keeps the sums for the site; ``-- --whole`` draws thirty flips, and
    puts each through the whole of the session docs.
    """
    install_docs(session, "--record", "--whole")
    whole = "--whole" in session.posargs
    describe = ("git", "describe", "--always", "--dirty", "--abbrev=12")
    commit = subprocess.check_output(describe, text=True).strip()
    record = commit if "--record" in session.posargs else ""
    options = ("-D", f"proof_whole={30 * whole}", "-D", f"proof_record={record}")
    if not build(session, *options, builder="proof"):
        session.error("the numbers are not proven: see above")
    if whole:
        confirm(session, json.loads(Path("docs/_build/doctrees/sample.json").read_text()))


def confirm(session: nox.Session, sample: list[dict[str, str]]) -> None:
    """Put flipped digits through the whole build, in a copy of the repository."""
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copy(root)
        for flip in sample:
            file = root / flip["path"]
            right = file.read_text(encoding="utf-8")
            file.write_text(flip["text"], encoding="utf-8")
            session.log(flip["name"])
            if build(session, root=root):
                survivors.append(flip["name"])
            file.write_text(right, encoding="utf-8")
    if survivors:
        session.error(f"not caught: {'; '.join(survivors)}")


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Change the library, or ``-- MODULE``, bit by bit: a test must fail each time."""
    install(session, "tests", "experiment", "mutants")
    measure(session)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Time the loss in one pass beside PyTorch's own; it takes a quiet machine."""
    install(session)
    measure(session, **dict.fromkeys(ONE_THREAD))


@nox.session(default=False)
def experiment(session: nox.Session) -> None:
    """Train on Fashion-MNIST with and without smoothing; ``-- FOLDER`` has its files."""
    install(session, "experiment")
    measure(session)


@nox.session(default=False)
def rosetta(session: nox.Session) -> None:
    """Run what the libraries ship: none may differ; ``-- --record`` what they do."""
    install(session)
    measure(session)


@nox.session(default=False)
def frameworks(session: nox.Session) -> None:
    """Run the guide's loops in other libraries; ``-- --record`` what they print."""
    session.install(*PINNED, "-r", "docs/measured/frameworks/frameworks.txt")
    session.env.update(ONE_THREAD)
    measure(session)


@nox.session(default=False)
def reproduce(session: nox.Session) -> None:
    """Build the site twice, elsewhere and at another hour: no byte may differ."""
    # Between these two zones the date is never the same.
    east = {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8"}
    west = {"PYTHONHASHSEED": "2", "TZ": "Pacific/Pago_Pago", "LC_ALL": "C"}
    build_alike(session, [east, west])


@nox.session(default=False)
def elsewhere(session: nox.Session) -> None:
    """Build the site with other threads and vector units: no byte may differ."""
    # None: the widest vectors that the processor has. "default": none.
    settings = [
        {"ATEN_CPU_CAPABILITY": width} | dict.fromkeys(ONE_THREAD, threads)
        for width, threads in itertools.product((None, "avx2", "default"), "12")
    ]
    build_alike(session, settings)


@nox.session(default=False)
def pin(session: nox.Session) -> None:
    """Write constraints.txt: the newest releases of all that is used.

    ``-- torch==2.13.0`` keeps what is named.
    """
    groups = PYPROJECT["dependency-groups"]
    install(session, *groups, options=(*NEWEST, *session.posargs))
    freeze = ("python", "-m", "pip", "freeze", "--exclude-editable")
    frozen = session.run(*freeze, silent=True)
    version = session.run("python", "--version", silent=True).rpartition(".")[0]
    head = "# What the numbers on the site were verified with: CPU build of torch"
    lines = sorted(re.sub(r"\+\w+$", "", frozen, flags=re.M).splitlines(), key=str.lower)
    PINS.write_text("\n".join([f"{head}, {version}.", *lines, ""]), encoding="utf-8")


@nox.session(default=False)
def serve(session: nox.Session) -> None:
    """Preview the site and rebuild it on every change, without its checks."""
    install(session, "serve")
    session.run(
        "sphinx-autobuild", "docs", "docs/_build/html", "-d", "docs/_build/doctrees",
        "-t", "preview", "--watch", "src", "--watch", "examples",
        "--ignore", "*/_build/*", "--ignore", "*/auto_examples/*",
        *session.posargs,
    )  # fmt: skip


if __name__ == "__main__":
    nox.main()
