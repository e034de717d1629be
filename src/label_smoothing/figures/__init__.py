"""The drawings of the site, as functions of your own tensors.

Every function returns a :class:`matplotlib.figure.Figure`. Its label
(``figure.get_label()``) says in words what is to be seen, with the numbers of the
tensors given: use it as the text alternative.

One colour means one thing everywhere: ``COLOURS`` maps the symbols δ, u, q' and p to
theirs, and ``DARK`` maps every colour used here to its counterpart on a dark ground.
"""

from label_smoothing.figures._curves import (
    binary,
    excess,
    floor,
    likelihood,
    masked,
    mix,
    softmax_twice,
    weight_flip,
)
from label_smoothing.figures._distributions import (
    conventions,
    distribution,
    gradient,
    targets,
    weighted_target,
)
from label_smoothing.figures._gather import gather
from label_smoothing.figures._losses import half_sum, loss_terms, padding
from label_smoothing.figures._pipelines import (
    class_dimension,
    kl_terms,
    loss_pipeline,
    smoothed_pipeline,
)
from label_smoothing.figures._style import (
    COLOURS,
    DARK,
    INK,
    LINE,
    MUTED,
    PAPER,
    STYLE,
    palette,
)
from label_smoothing.figures._trained import clusters, gaps, intervals, reliability

__all__ = [  # noqa: RUF022  in the order of the reference
    "COLOURS",
    "DARK",
    "INK",
    "MUTED",
    "LINE",
    "PAPER",
    "STYLE",
    "targets",
    "distribution",
    "mix",
    "gradient",
    "weighted_target",
    "weight_flip",
    "loss_terms",
    "padding",
    "loss_pipeline",
    "smoothed_pipeline",
    "class_dimension",
    "kl_terms",
    "gather",
    "likelihood",
    "floor",
    "excess",
    "masked",
    "binary",
    "softmax_twice",
    "half_sum",
    "conventions",
    "reliability",
    "clusters",
    "gaps",
    "intervals",
    "palette",
]
