/* What a keyboard and a screen reader need, and the page's HTML does not say. */
document.addEventListener("DOMContentLoaded", () => {
  document.querySelector("aside.sidebar-drawer")?.setAttribute("aria-label", "Site");
  document.querySelector("aside.toc-drawer")?.setAttribute("aria-label", "On this page");
  for (const button of document.querySelectorAll("button.copybtn")) {
    button.setAttribute("aria-label", "Copy");
  }
  const scrollers = document.querySelectorAll("pre, div.math, .table-wrapper");
  const update = () => {
    for (const block of scrollers) {
      if (block.scrollWidth > block.clientWidth + 1) block.tabIndex = 0;
      else block.removeAttribute("tabindex");
    }
  };
  update();
  addEventListener("resize", update);
  document.fonts.ready.then(update);
});
