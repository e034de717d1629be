"""The names that an expression on a page may use: in a number, and in a drawing."""

import importlib
import math
from typing import Any

import torch
import torch.nn.functional as F
from sphinx.application import Sphinx
from sphinx.config import Config

NAMES: dict[str, Any] = {}


def namespace(modules: list[str]) -> dict[str, Any]:
    """Return torch, F, math, and the public names of these modules."""
    found = {"torch": torch, "F": F, "math": math}
    for module in map(importlib.import_module, modules):
        public = [name for name in vars(module) if not name.startswith("_")]
        names = getattr(module, "__all__", public)
        found |= {name: getattr(module, name) for name in names}
    return found


def fill(app: Sphinx, config: Config) -> None:
    """Fill ``NAMES``, as soon as the configuration is known."""
    NAMES.update(namespace(config.verified_names))


def setup(app: Sphinx) -> None:
    """Register the list of modules, ``verified_names``."""
    app.add_config_value("verified_names", [], "env")
    app.connect("config-inited", fill)
