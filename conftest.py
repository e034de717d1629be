"""What holds for every test, be it in tests/ or in a docstring."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings

os.environ["MPLBACKEND"] = "agg"  # read where matplotlib is imported: it takes long

# The same examples in every run, and no time limit on one.
settings.register_profile("stable", derandomize=True, deadline=None, database=None)
settings.load_profile("stable")
# For the mutants: that an example fails is enough, it need not be the simplest.
settings.register_profile(
    "mutants",
    settings.get_profile("stable"),
    phases=(Phase.explicit, Phase.generate),
)


@pytest.fixture(autouse=True)
def _no_figure_is_left() -> Iterator[None]:
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")
