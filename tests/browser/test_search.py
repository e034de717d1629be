"""What people type into the search box finds the page that was written for it."""

import pytest
from playwright.sync_api import Page

FOUND = {
    "label smoothing": "learn/demo",
    "epsilon": "guides/which_epsilon",
    "convert epsilon": "guides/which_epsilon",
    "nll_loss": "learn/nll_and_cross_entropy",
    "log_softmax": "learn/nll_and_cross_entropy",
    "softmax twice": "learn/nll_and_cross_entropy",
    "reduction": "learn/nll_and_cross_entropy",
    "gather": "learn/gather",
    "gather dim": "learn/gather",
    "index out of bounds": "learn/gather",
    "one-hot": "learn/derivation",
    "dirac delta": "auto_examples/1_targets/plot_1_dirac_delta",
    "uniform distribution": "auto_examples/1_targets/plot_2_uniform",
    "gradient": "learn/gradient_and_floor",
    "fused": "learn/one_pass",
    "ignore_index": "guides/ignore_index",
    "padding": "guides/ignore_index",
    "nan": "guides/numerics",
    "inf": "guides/numerics",
    "nan loss": "guides/kl_div_nan",
    "kl_div": "guides/kl_div_nan",
    "KL divergence": "guides/kl_div_nan",
    "batchmean": "guides/kl_div_nan",
    "fairseq": "reference/rosetta",
    "timm": "reference/rosetta",
    "keras": "reference/rosetta",
    "class weights": "guides/class_weights",
    "imbalanced": "guides/class_weights",
    "floor": "guides/loss_floor",
    "perplexity": "guides/loss_floor",
    "loss does not reach zero": "guides/loss_floor",
    "temperature": "guides/mixup_and_distillation",
    "mixup": "guides/mixup_and_distillation",
    "knowledge distillation": "guides/mixup_and_distillation",
    "half precision": "guides/mixed_precision",
    "float16": "guides/mixed_precision",
    "autocast": "guides/mixed_precision",
    "soft targets": "guides/soft_targets",
    "binary cross entropy": "guides/binary",
    "pos_weight": "guides/binary",
    "multi-label": "guides/binary",
    "large vocabulary": "guides/large_vocabularies",
    "out of memory": "guides/large_vocabularies",
    "segmentation": "guides/shapes",
    "audit": "guides/audit",
    "Expected target size": "reference/errors",
    "calibration": "learn/does_it_help",
    "notation": "reference/notation",
    "install": "index",
}


@pytest.mark.parametrize("query", FOUND)
def test_search(page: Page, site: str, query: str) -> None:
    page.goto("learn/gather_form.html")
    box = page.get_by_role("textbox", name="Search")
    box.fill(query)
    box.press("Enter")
    page.locator(".search-summary:not(:empty)").wait_for()
    links = page.locator("ul.search > li > a").evaluate_all("all => all.map(a => a.href)")
    pages = [link.removeprefix(site).partition(".html")[0] for link in links]
    assert FOUND[query] in pages[:3]
