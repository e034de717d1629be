"""What the arguments of more than one figure must satisfy."""

from numbers import Integral

from torch import Tensor


def check_shapes(
    logits: Tensor, target: Tensor, form: str, target_form: str, name: str = "logits"
) -> None:
    """Check two shapes, given a letter a dimension: "NK" and "N" are (N, K) and (N,)."""
    sizes = dict(zip(form, logits.shape, strict=False))
    if logits.dim() != len(form) or target.shape != tuple(sizes[n] for n in target_form):
        expected = f"{tuple(form)} and {tuple(target_form)}".replace("'", "")
        raise ValueError(
            f"{name} and target must have shapes {expected}, "
            f"got {tuple(logits.shape)} and {tuple(target.shape)}"
        )
    check_not_empty(logits, name)


def check_not_empty(tensor: Tensor, name: str) -> None:
    """Check that there is something to draw."""
    if tensor.numel() == 0:
        raise ValueError(f"{name} must not be empty, got shape {tuple(tensor.shape)}")


def check_finite(given: Tensor, name: str, drawn: Tensor | None = None) -> None:
    """Check that there is a place for what is drawn of a tensor, by default itself."""
    if not (given if drawn is None else drawn).isfinite().all():
        raise ValueError(
            f"{name} must give finite numbers to draw, "
            f"got values from {given.min():.4g} to {given.max():.4g}"
        )


def check_small(matrix: Tensor, rows: int, columns: int, name: str = "logits") -> None:
    """Check that a matrix has room on a page."""
    height, width = matrix.shape
    if height > rows or width > columns:
        raise ValueError(
            f"{name} must be at most {rows} by {columns} to draw, got {height} by {width}"
        )


def check_open_smoothing(smoothing: float) -> None:
    """Check that there is smoothing, and a label left."""
    if not 0 < smoothing < 1:
        raise ValueError(f"smoothing must satisfy 0 < smoothing < 1, got {smoothing}")


def check_positive(number: int, name: str) -> None:
    """Check that a count is one."""
    whole = isinstance(number, Integral) and not isinstance(number, bool)
    if not whole or number < 1:
        raise ValueError(f"{name} must be a positive int, got {number!r}")
