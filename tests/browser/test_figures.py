"""A dark figure is the light one in other colours."""

import re

from .conftest import SITE

IMAGES = SITE / "_images"
COLOUR = re.compile("#[0-9a-f]{6}")


def test_a_dark_figure_has_the_data_of_the_light_one() -> None:
    drawn = [
        path
        for path in IMAGES.glob("*.svg")
        if "label_smoothing.figures" in path.read_text(encoding="utf-8")
    ]
    dark = {path for path in drawn if path.stem.endswith(".dark")}
    assert len(drawn) == 2 * len(dark) > 50
    for path in dark:
        twin = path.with_name(path.name.replace(".dark.svg", ".svg"))
        texts = [p.read_text(encoding="utf-8") for p in (path, twin)]
        assert texts[0] != texts[1]
        without = [COLOUR.sub("#", text) for text in texts]
        assert without[0] == without[1], path.name
        # One dark colour for each light one: what differs there, differs here.
        colours = set(zip(*(COLOUR.findall(text) for text in texts), strict=True))
        assert len(colours) == len(dict(colours)) == len({light for _, light in colours})
