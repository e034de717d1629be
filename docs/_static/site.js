/* What a keyboard and a screen reader need, and the page's HTML does not say. */
document.addEventListener("DOMContentLoaded", () => {
  // The theme opens its drawers by labels of checkboxes that no key reaches.
  const drawers = { __navigation: "Site", __toc: "On this page" };
  for (const [id, name] of Object.entries(drawers)) {
    const drawer = document.getElementById(id);
    for (const icon of document.querySelectorAll(`label[for=${id}] > .icon`)) {
      icon.setAttribute("role", "button");
      icon.setAttribute("aria-label", name);
      icon.tabIndex = 0;
      icon.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        drawer.click();
      });
      const tell = () => icon.setAttribute("aria-expanded", drawer.checked);
      drawer.addEventListener("change", tell);
      tell();
    }
  }
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
