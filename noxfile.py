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
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "tests", "site_tests", "docs"]
nox.options.reuse_existing_virtualenvs = True
# pip, unlike uv, reads the indexes that a machine is set up with, and so finds its torch.
nox.options.default_venv_backend = "virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PINS = Path("constraints.txt")
# The programs that measure are modules of docs/measured.
MEASURED = {"PYTHONPATH": "docs"}
# What a build leaves behind. Old output must not survive a change in src/.
BUILT = ("docs/_build", "docs/auto_examples")
STRICT = ("-W", "--keep-going", "-n", "-T", "-q")


def install(session: nox.Session, *groups: str, pins: Path | None = PINS) -> None:
    constraints = ("-c", str(pins)) if pins else ()
    groups = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(*constraints, "-e", ".[figures]", *groups)
    # One thread adds in one order, so the printed digits do not depend on the machine.
    session.env.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")


def install_docs(session: nox.Session, *options: str) -> None:
    """Install what builds the site, and the torch that ``-- --torch=`` asks for."""
    given = " ".join(given for given in session.posargs if given not in options)
    if not given:
        install(session, "docs")
        return
    asked = re.fullmatch(r"--torch=(newest|\d+\.\d+\.\d+)", given)
    if not asked:
        expected = ", ".join(["--torch=2.14.1", "--torch=newest", *options])
        session.error(f"expected one of {expected}; given {given}")
    newest = asked[1] == "newest"
    pin = "" if newest else f"torch=={asked[1]}\n"
    pins = Path(session.create_tmp(), PINS)
    pins.write_text(re.sub(r"(?m)^torch==.*\n", pin, PINS.read_text()))
    if newest:
        session.install("--upgrade", "-c", str(pins), "torch")
    install(session, "docs", pins=pins)


def build(
    session: nox.Session, root: Path = Path(), *options: str, **env: str | None
) -> bool:
    """Build the site under ``root`` from nothing and verify it; say if it passed."""
    env["PYTHONPATH"] = str((root / "src").resolve())
    env["CUDA_VISIBLE_DEVICES"] = ""  # its threads would not outlive a fork
    with session.chdir(root):
        for path in BUILT:
            shutil.rmtree(path, ignore_errors=True)
        command = ("sphinx-build", "-M", "html", "docs", "docs/_build", *STRICT)
        try:
            session.run(*command, *options, env=env)
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
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        sites = []
        for number, env in enumerate(settings):
            root = Path(folder, *[f"build{number}"] * (number + 1))
            copy(root)
            name = " ".join(f"{key}={value}" for key, value in env.items())
            session.log(f"With {name}")
            if not build(session, root, **env):
                failures.append(f"{name}: the site is not verified, see above")
            sites.append(root / "docs" / "_build" / "html")
            differ = ("diff", "-r", "--brief", str(sites[0]), str(sites[-1]))
            found = subprocess.run(differ, capture_output=True, text=True, check=False)
            failures += [f"{name}: {line}" for line in found.stdout.splitlines()]
        compared = sum(path.is_file() for path in sites[0].rglob("*"))
    for failure in failures:
        session.warn(failure)
    if failures:
        session.error(f"{len(failures)} failures and differences")
    session.log(f"{compared} files are the same in {len(sites)} builds, byte for byte")


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
    named = any(Path(word.partition("::")[0]).exists() for word in session.posargs)
    options = () if named else ("-n", "auto", *paths)
    session.run("pytest", "--mpl", *options, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Test the library and its figures; ``-- FILE -k NAME`` runs one test."""
    install(session, "tests")
    run_tests(session, "tests/library", "tests/figures", "src")


@nox.session
def site_tests(session: nox.Session) -> None:
    """Test what verifies the site, and what measures; ``-- FILE`` runs one file."""
    install(session, "site-tests")
    run_tests(session, "tests/verified", "tests/measured")


@nox.session(default=False)
def tests_latest(session: nox.Session) -> None:
    """Run all of these tests on the newest releases of everything."""
    install(session, "site-tests", pins=None)
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into docs/_build/html and verify it; ``-- --record`` its output."""
    install_docs(session, "--record")
    record = ("-D", "record=1") if "--record" in session.posargs else ()
    if not build(session, Path(), *record):
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
    session.run("python", "-m", "measured.lighthouse", env=MEASURED)


@nox.session(default=False)
def linkcheck(session: nox.Session) -> None:
    """Follow the links that leave the site."""
    install(session, "docs")
    session.run("sphinx-build", "-M", "linkcheck", "docs", "docs/_build", *STRICT)


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
    session.run(
        "sphinx-build", "-b", "proof", "-d", "docs/_build/doctrees", "-T", "-q",
        "-D", f"proof_whole={30 * whole}", "-D", f"proof_record={record}",
        "docs", "docs/_build/proof",
    )  # fmt: skip
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
            if build(session, root):
                survivors.append(flip["name"])
            file.write_text(right, encoding="utf-8")
    if survivors:
        session.error(f"not caught: {'; '.join(survivors)}")


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Change the library, or ``-- MODULE``, bit by bit: a test must fail each time."""
    install(session, "tests", "experiment", "mutants")
    session.run("python", "-m", "measured.mutants", *session.posargs, env=MEASURED)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Time the loss in one pass beside PyTorch's own; it takes a quiet machine."""
    install(session)
    threads = {"OMP_NUM_THREADS": None, "MKL_NUM_THREADS": None}
    session.run("python", "-m", "measured.bench", env=MEASURED | threads)


@nox.session(default=False)
def experiment(session: nox.Session) -> None:
    """Train on Fashion-MNIST with and without smoothing; ``-- FOLDER`` has its files."""
    install(session, "experiment")
    session.run("python", "-m", "measured.experiment", *session.posargs, env=MEASURED)


@nox.session(default=False)
def rosetta(session: nox.Session) -> None:
    """Run what the libraries ship: none may differ; ``-- --record`` what they do."""
    install(session)
    session.run("python", "-m", "measured.rosetta", *session.posargs, env=MEASURED)


@nox.session(default=False)
def frameworks(session: nox.Session) -> None:
    """Run the guide's loops in other libraries; ``-- --record`` what they print."""
    session.install("-c", str(PINS), "-r", "docs/measured/frameworks/frameworks.txt")
    session.env.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    session.run("python", "-m", "measured.frameworks", *session.posargs, env=MEASURED)


@nox.session(default=False)
def reproduce(session: nox.Session) -> None:
    """Build the site twice, elsewhere and at another hour: no byte may differ."""
    install_docs(session)
    # Between these two zones the date is never the same.
    east, west = "Pacific/Kiritimati", "Pacific/Pago_Pago"
    build_alike(
        session,
        [
            {"PYTHONHASHSEED": "1", "TZ": east, "LC_ALL": "C.UTF-8"},
            {"PYTHONHASHSEED": "2", "TZ": west, "LC_ALL": "C"},
        ],
    )


@nox.session(default=False)
def elsewhere(session: nox.Session) -> None:
    """Build the site with other threads and vector units: no byte may differ."""
    install_docs(session)
    # None: the widest vectors that the processor has. "default": none.
    settings = [
        {"OMP_NUM_THREADS": n, "MKL_NUM_THREADS": n, "ATEN_CPU_CAPABILITY": width}
        for width, n in itertools.product((None, "avx2", "default"), "12")
    ]
    ask = "print(torch.backends.cpu.get_cpu_capability(), torch.get_num_threads())"
    for env in settings:
        session.run("python", "-c", f"import torch; {ask}", env=env)
    build_alike(session, settings)


@nox.session(default=False)
def pin(session: nox.Session) -> None:
    """Write constraints.txt: the newest releases of all that is used.

    ``-- torch==2.13.0`` keeps what is named.
    """
    groups = nox.project.dependency_groups(PYPROJECT, *PYPROJECT["dependency-groups"])
    session.install("-e", ".[figures]", *groups, *session.posargs)
    frozen = session.run(
        "python", "-m", "pip", "freeze", "--exclude-editable", silent=True
    )
    version = session.run("python", "--version", silent=True).rpartition(".")[0]
    head = "# What the numbers on the site were verified with: CPU build of torch"
    lines = sorted(re.sub(r"\+\w+$", "", frozen, flags=re.M).splitlines(), key=str.lower)
    PINS.write_text("\n".join([f"{head}, {version}.", *lines, ""]), encoding="utf-8")


@nox.session(default=False)
def serve(session: nox.Session) -> None:
    """Preview the site and rebuild it on every change."""
    install(session, "serve")
    session.run(
        "sphinx-autobuild", "docs", "docs/_build/html", "-d", "docs/_build/doctrees",
        "--watch", "src", "--watch", "examples",
        "--ignore", "*/_build/*", "--ignore", "*/auto_examples/*",
        *session.posargs,
    )  # fmt: skip


if __name__ == "__main__":
    nox.main()
