r"""What libraries mean by ε: the conventions, and the way from one to another.

They differ in the probability :math:`q'` of a class that is not the true one. The true
class gets the rest.
"""

import math

from label_smoothing.losses import check_smoothing
from label_smoothing.targets import check_num_classes

PADDED = "others-without-padding"
BINARY = ("half", "swap")
CONVENTIONS = ("uniform", "others", PADDED, "normalised", *BINARY)


def convert_smoothing(value: float, num_classes: int, source: str, to: str) -> float:
    r"""Convert ε from one convention to another, so that both give the same target.

    Parameters
    ----------
    value : float
        The smoothing :math:`\varepsilon` in the convention ``source``,
        ``0 <= value < 1``.
    num_classes : int
        The number of classes K. With ``"others-without-padding"`` on either side it
        counts the padding class. The other convention then holds on the :math:`K-1`
        classes that are left when the column of the padding is dropped: only there are
        the two the same.
    source, to : str
        The names of two conventions; see the notes.

    Returns
    -------
    float
        The smoothing in the convention ``to``.

    Raises
    ------
    TypeError
        If ``value`` is not a number, or if ``num_classes`` is not an int.
    ValueError
        If ``value`` is out of range, if a name is unknown, if ``num_classes`` is too
        small, if a convention for two classes meets another number of them, or if ``to``
        has no :math:`\varepsilon` below one that gives this target.

    See Also
    --------
    recover_target : find out what a loss trains on.
    audit : the same, with the name of the convention.

    Notes
    -----
    The names, and what a class that is not the true one gets:

    - ``"uniform"``: :math:`\varepsilon/K`, as in :cite:t:`szegedy2016` and PyTorch;
    - ``"others"``: :math:`\varepsilon/(K-1)`;
    - ``"others-without-padding"``: :math:`\varepsilon/(K-2)`, and the padding zero;
    - ``"normalised"``: :math:`\varepsilon/(K(1+\varepsilon))`, which is
      :math:`\delta + \varepsilon u` divided by its sum;
    - ``"half"``, for two classes: :math:`\varepsilon/2`;
    - ``"swap"``, for two classes: :math:`\varepsilon`.

    Examples
    --------
    >>> from label_smoothing import convert_smoothing
    >>> convert_smoothing(0.3, 5, source="others", to="uniform")
    0.375
    >>> convert_smoothing(0.1, 2, source="swap", to="half")
    0.2
    """
    check_smoothing(value, "value")
    value = float(value)
    _, (dividing, needed) = _divisors(num_classes, source=source, to=to)
    share = _share(value, source) * (needed / dividing)
    if to != "normalised":
        converted = share
    else:
        converted = share / (1 - share) if share < 1 else math.inf
    if converted >= 1:
        raise ValueError(
            f"a smoothing of {value} in {source!r} has no equivalent in {to!r}: it would "
            f"be {converted:.4g}, expected less than 1"
        )
    return converted


def loss_floor(num_classes: int, smoothing: float, convention: str = "uniform") -> float:
    r"""Return the least loss that a row can have: the entropy of its smoothed target.

    .. math:: H(q') = -\sum_{k=1}^{K} q'(k) \log q'(k)

    A loss in the form of a Kullback-Leibler divergence is lower by this constant, so its
    floor is zero.

    Parameters
    ----------
    num_classes : int
        The number of classes K; for ``"others-without-padding"`` with the padding.
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 <= smoothing < 1``.
    convention : str, default: "uniform"
        What :math:`\varepsilon` means, one of the names of :func:`convert_smoothing`.

    Returns
    -------
    float
        The floor in nats.

    Raises
    ------
    TypeError
        If ``smoothing`` is not a number, or if ``num_classes`` is not an int.
    ValueError
        If ``smoothing`` is out of range, if the name is unknown, or if ``num_classes``
        does not fit it.

    See Also
    --------
    optimal_logit_gap : the gap between the logits at which a row has this loss.

    Examples
    --------
    >>> from label_smoothing import loss_floor
    >>> round(loss_floor(num_classes=5, smoothing=0.3), 4)
    0.8838
    >>> round(loss_floor(num_classes=5, smoothing=0.3, convention="others"), 4)
    1.0268
    """
    rest, other = _target(num_classes, smoothing, convention)
    # log1p, since 1 - rest would round away a small rest.
    return (rest - 1) * math.log1p(-rest) - (rest * math.log(other) if other else 0)


def optimal_logit_gap(
    num_classes: int, smoothing: float, convention: str = "uniform"
) -> float:
    r"""Return how far the true logit is above the others where the loss is least.

    .. math:: z_y - z_k = \log \frac{q'(y)}{q'(k)}

    Parameters
    ----------
    num_classes : int
        The number of classes K; for ``"others-without-padding"`` with the padding, whose
        logit has no best value: the lower, the better.
    smoothing : float
        The smoothing :math:`\varepsilon`, ``0 <= smoothing < 1``.
    convention : str, default: "uniform"
        What :math:`\varepsilon` means, one of the names of :func:`convert_smoothing`.

    Returns
    -------
    float
        The gap, infinite without smoothing. It is negative where :math:`\varepsilon` is
        so large that the target gives another class more than the true one.

    Raises
    ------
    TypeError
        If ``smoothing`` is not a number, or if ``num_classes`` is not an int.
    ValueError
        If ``smoothing`` is out of range, if the name is unknown, or if ``num_classes``
        does not fit it.

    See Also
    --------
    loss_floor : the loss at this gap.

    Examples
    --------
    >>> from label_smoothing import optimal_logit_gap
    >>> round(optimal_logit_gap(num_classes=5, smoothing=0.3), 4)
    2.539
    """
    rest, other = _target(num_classes, smoothing, convention)
    return math.log1p(-rest) - math.log(other) if other else math.inf


def _target(num_classes: int, smoothing: float, convention: str) -> tuple[float, float]:
    """Return q' of all classes but the true one, and q' of one of them."""
    check_smoothing(smoothing)
    smoothing = float(smoothing)
    classes, (divisor,) = _divisors(num_classes, convention=convention)
    share = _share(smoothing, convention)
    return share * ((classes - 1) / divisor), share / divisor


def _share(smoothing: float, convention: str) -> float:
    return smoothing / (1 + smoothing) if convention == "normalised" else smoothing


def _divisors(num_classes: int, **names: str) -> tuple[int, list[int]]:
    """Return the number of classes without padding, and what each name divides ε by."""
    for argument, name in names.items():
        if name not in CONVENTIONS:
            raise ValueError(f"{argument} must be one of {CONVENTIONS}, got {name!r}")
    padding = PADDED in names.values()
    check_num_classes(num_classes, least=2 + padding)
    classes = num_classes - padding
    for name in names.values():
        if name in BINARY and classes != 2:
            raise ValueError(f"{name!r} is for two classes, got {num_classes}")
    divisors = (classes, classes - 1, classes - 1, classes, 2, 1)
    by_name = dict(zip(CONVENTIONS, divisors, strict=True))
    return classes, [by_name[name] for name in names.values()]
