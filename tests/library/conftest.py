"""Fixtures for the tests of the loss in one pass: the size of its chunks."""

from collections.abc import Iterator

import pytest

from label_smoothing import fast

from .fast_calls import CHUNK, SMALL


@pytest.fixture(scope="module")
def long_way() -> Iterator[None]:
    """Let small inputs take the long way, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "SMALL", 0)
        patch.setattr(fast, "CHUNK", 12)  # several chunks, of several rows
        yield


@pytest.fixture
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "SMALL", SMALL)
    monkeypatch.setattr(fast, "CHUNK", CHUNK)


@pytest.fixture(params=[(0, 1), (SMALL, CHUNK)], ids=["long way", "as shipped"])
def any_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(("SMALL", "CHUNK"), request.param, strict=True):
        monkeypatch.setattr(fast, name, value)
