"""Run a script as a reader runs it: alone, and under its own name."""

import runpy
import sys
from importlib.metadata import PackageNotFoundError, version


def fit_torchvision() -> None:
    """Let torchvision load beside a torch that it was not built for.

    On PyPI the one for Linux is for CUDA. Beside a torch for the CPU it has no operators,
    which no script uses, yet without them timm and torchmetrics do not load.
    """
    try:
        builds = {version(name).partition("+")[2] for name in ("torch", "torchvision")}
    except PackageNotFoundError:
        return
    if len(builds) > 1:
        import torch

        arguments = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", arguments)


if __name__ == "__main__":
    del sys.argv[0]  # a script finds itself there
    fit_torchvision()
    runpy.run_path(sys.argv[0], run_name="__main__")
