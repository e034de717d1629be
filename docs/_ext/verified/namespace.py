"""The names that an expression on a page may use: in a number, and in a drawing."""

import importlib
import math
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment

NAMES: dict[str, Any] = {"torch": torch, "F": F, "math": math}
# The files with the code and the data behind the names: a page that shows what they give
# is out of date when one of them changes.
SOURCES: set[Path] = set()


def fill(app: Sphinx, config: Config) -> None:
    """Add the public names of the modules, as soon as the configuration is known."""
    for module in map(importlib.import_module, config.verified_names):
        public = [name for name in vars(module) if not name.startswith("_")]
        for name in getattr(module, "__all__", public):
            NAMES[name] = getattr(module, name)
        folder = Path(module.__file__ or "").parent
        SOURCES.update(file for file in folder.rglob("*.*") if file.suffix != ".pyc")


def note_sources(env: BuildEnvironment) -> None:
    """Note that the page that is being read depends on the sources of the names."""
    for source in SOURCES:
        env.note_dependency(source)


def setup(app: Sphinx) -> None:
    """Register the list of modules, ``verified_names``."""
    app.add_config_value("verified_names", [], "env")
    app.connect("config-inited", fill)
