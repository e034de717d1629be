"""What keeps the site true: each number is tied, each block of code runs.

``README.md`` beside this file follows one number through these modules.
"""

from sphinx.application import Sphinx

from verified import claims, code, namespace, proof, repository, roles, snapshots


def setup(app: Sphinx) -> dict[str, object]:
    """Register the roles, the checks, the record and the proof."""
    for part in (namespace, roles, code, repository, snapshots, claims, proof):
        part.setup(app)
    return {"version": "5", "parallel_read_safe": True, "parallel_write_safe": True}
