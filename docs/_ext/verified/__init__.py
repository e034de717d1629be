"""What keeps the site true: each number is tied, each block of code runs."""

from sphinx.application import Sphinx

from verified import code, names, pages, proof, repository, snapshots


def setup(app: Sphinx) -> dict[str, object]:
    """Register the roles, the checks, the record and the proof."""
    for part in (names, code, pages, repository, snapshots, proof):
        part.setup(app)
    return {"version": "4", "parallel_read_safe": True, "parallel_write_safe": True}
