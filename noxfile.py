#!/usr/bin/env -S uv run --script
# /// script
# requires-python = ">=3.11"
# dependencies = ["nox>=2025.5.1"]
# ///
"""Everything this project runs: ``nox -s docs``, ``nox -s tests``, ``nox -s lint``."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.5.1"
nox.options.sessions = ["lint", "tests", "docs"]
nox.options.reuse_existing_virtualenvs = True
# pip, unlike uv, reads the indexes that a machine is set up with, and so finds its torch.
nox.options.default_venv_backend = "virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")
# What a build leaves behind. Old output must not survive a change in src/.
BUILT = ("docs/_build", "docs/auto_examples")
STRICT = ("-W", "--keep-going", "-n", "-T", "-q")


def install(session: nox.Session, *groups: str, pinned: bool = True) -> None:
    pins = ("-c", "constraints.txt") if pinned else ()
    session.install(
        *pins, "-e", ".[figures]", *nox.project.dependency_groups(PYPROJECT, *groups)
    )
    # One thread adds in one order, so the printed digits do not depend on the machine.
    session.env.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")


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


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite."""
    install(session, "tests", "docs")
    session.run("pytest", *session.posargs)


@nox.session(default=False)
def tests_latest(session: nox.Session) -> None:
    """Run the test suite on the newest releases of everything."""
    install(session, "tests", "docs", pinned=False)
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site into docs/_build/html and verify it."""
    install(session, "docs")
    for path in BUILT:
        shutil.rmtree(path, ignore_errors=True)
    for builder in ("html", "doctest"):
        session.run("sphinx-build", "-M", builder, "docs", "docs/_build", *STRICT)
    session.log(f"open {Path('docs/_build/html/index.html').resolve().as_uri()}")


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
