/* What the tests ask of a page: one call answers much, since each call takes its time. */
"use strict";
globalThis.probe = (() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const start = (part) => part.outerHTML.slice(0, 200);
  const outlined = (part) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(part);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
  };

  // --- A view of a page -----------------------------------------------------------------

  // What goes over the edge of the window, and does not lie in a block that scrolls.
  const cut = () =>
    all("article *").filter(
      (part) =>
        part.checkVisibility() &&
        part.getBoundingClientRect().right > innerWidth &&
        !part.closest("pre, div.math, .table-wrapper"),
    );

  // What scrolls sideways, and does not take the focus or does not show that it has it.
  const stuck = () =>
    all("*").filter((block) => {
      const scrolls = ["auto", "scroll"].includes(getComputedStyle(block).overflowX);
      if (!scrolls || block.scrollWidth <= block.clientWidth + 1) return false;
      // Chromium lets the keyboard reach it unasked, Safari does not.
      if (block.tabIndex < 0) return true;
      block.focus({ preventScroll: true, focusVisible: true });
      return document.activeElement !== block || !outlined(block);
    });

  // The figures whose light and dark version are not what the theme asks for.
  const unfit = (theme) => {
    const shown = (image) => image.checkVisibility() && image.naturalWidth > 0;
    const dark = all("img.only-dark");
    const light = dark.map((image) => image.previousElementSibling);
    const lone = all("img.only-light").filter((image) => !light.includes(image));
    const wrong = dark.filter(
      (image, n) =>
        image.src !== light[n].src.replace(/svg$/, "dark.svg") ||
        shown(image) !== (theme === "dark") ||
        shown(light[n]) !== (theme === "light"),
    );
    return [...lone, ...wrong];
  };

  // What moves in an explorer although the reader has asked for rest.
  const moving = () =>
    all("article *").filter((part) => {
      if (!part.closest("[data-set], .explorer-body, .explorer-actions")) return false;
      const { transitionDuration, animationName } = getComputedStyle(part);
      return parseFloat(transitionDuration) || animationName !== "none";
    });

  // What axe finds; `rules` are some of its own, or tags of them.
  const violations = async (rules) => {
    const type = rules.includes("wcag2a") ? "tag" : "rule";
    const found = await axe.run({
      runOnly: { type, values: rules },
      resultTypes: ["violations"],
      elementRef: true,
    });
    // For axe a head that is a formula is an empty one; a screen reader speaks MathML.
    const formula = (id, { element }) =>
      id === "empty-table-header" && element.querySelector("math")?.textContent;
    return found.violations.flatMap(({ id, nodes }) =>
      nodes
        .filter((node) => !formula(id, node))
        .map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
    );
  };

  const view = async (theme, rules) => {
    // A frame later the page has heard of the width of its window.
    for (const _ of [1, 2]) await new Promise(requestAnimationFrame);
    const wide = document.documentElement.scrollWidth - innerWidth;
    const faults = {
      cut: cut(),
      stuck: stuck(),
      "not for this theme": unfit(theme),
      "moves unasked": moving(),
    };
    document.activeElement.blur();
    return [
      ...(wide > 0 ? [`${wide} pixels wider than the window`] : []),
      ...Object.entries(faults).flatMap(([fault, parts]) =>
        parts.map((part) => `${fault}: ${start(part)}`),
      ),
      ...(rules.length ? await violations(rules) : []),
    ];
  };

  // --- The keyboard ---------------------------------------------------------------------

  // What has the focus, and whether a line around it, or around what stands for it, says so.
  const focused = () => {
    const at = document.activeElement;
    if (at === document.body) return null;
    const { left, right, top, bottom } = at.getBoundingClientRect();
    const around = [at, at.nextElementSibling, at.closest("td, .sd-card")].filter(Boolean);
    return {
      name: start(at),
      skip: at.classList.contains("skip-to-content"),
      seen: around.some(
        (part) => part.checkVisibility({ opacityProperty: true }) && outlined(part),
      ),
      inside: right > 0 && left < innerWidth && bottom > 0 && top < innerHeight,
    };
  };

  // Each stop of the Tab key in turn, without the key: to press it takes ten times as long.
  const stops = () => {
    const chosen = ({ name }) => document.querySelector(`[name="${name}"]:checked`);
    const isStop = (part) =>
      part.tabIndex >= 0 &&
      !part.disabled &&
      part.checkVisibility({ visibilityProperty: true }) &&
      !(part.type === "radio" && (chosen(part) ?? part) !== part);
    return all("a[href], button, input, select, textarea, summary, [tabindex]")
      .filter(isStop)
      .map((part) => {
        part.focus({ focusVisible: true });
        return focused();
      });
  };

  // --- What is copied -------------------------------------------------------------------

  // Press a button that a pointer reaches, and return what lands in the clipboard.
  const press = async (button) => {
    button.scrollIntoView({ block: "center" });
    const { x, y, width, height } = button.getBoundingClientRect();
    const hit = document.elementFromPoint(x + width / 2, y + height / 2);
    if (!button.contains(hit)) return `no pointer reaches ${start(button)}`;
    await navigator.clipboard.writeText("");
    button.click();
    for (let frames = 0; frames < 300; frames++) {
      const text = await navigator.clipboard.readText();
      if (text) return text;
      await new Promise(requestAnimationFrame);
    }
    return `nothing is copied by ${start(button)}`;
  };

  // Every block, the program that it is a part of, and whether a note stands above it.
  const blocks = async (pressed = true) => {
    const found = [];
    for (const [number, pre] of all("article pre").entries()) {
      const box = pre.parentElement.parentElement;
      const cell = pre.closest(".cell");
      const language = /highlight-([\w-]+)/.exec(box.className)?.[1] ?? "listing";
      const page = cell || language === "Python";
      const entry = pre.closest("dd")?.previousElementSibling.id;
      const button = pre.parentElement.querySelector(".copybtn");
      const text = pre.textContent.replace(/\n$/, "");
      // An example that is typed has its output in the same block.
      const isPrompted = (line) => /^(>>>|\.\.\.) /.test(line);
      const lines = text.split("\n");
      const typed = lines.filter(isPrompted).map((line) => line.slice(4));
      const printed = lines.filter((line) => !isPrompted(line));
      const isTyped = language === "default";
      found.push({
        language,
        text,
        code: isTyped ? typed.join("\n") : text,
        shown: isTyped ? printed.join("\n") : "",
        copied: button && (pressed ? await press(button) : ""),
        program: page ? "page" : language === "default" ? entry : number,
        recorded: box.matches(".recorded"),
        note: (cell ?? box).previousElementSibling?.matches(".goes-on") ?? false,
      });
    }
    return found;
  };

  // --- Explorers ------------------------------------------------------------------------

  const number = (text) => (text === "" || Number.isNaN(Number(text)) ? text : Number(text));

  // The values behind what an explorer shows, and all that is seen and heard of it.
  const look = (element) => {
    const { name, state, values, snippet } = element;
    const named = all("[role=img], [data-set=cell]", element);
    const seen = {
      name, state, values, snippet, labels: named.map((part) => part.ariaLabel),
      summary: element.summary().replace(/\s+/g, " "), shown: {}, hidden: [], drawn: {}, marked: {},
      controls: {}, invalid: [],
    };
    for (const part of all("[data-part]", element)) {
      const name = part.dataset.part;
      seen.shown[name] = part.textContent.replace(/\s+/g, " ").trim();
      if (part.closest("[hidden]")) seen.hidden.push(name);
      else {
        const drawn = (seen.drawn[name] = {});
        for (const { style } of [part, ...part.children])
          for (const key of style)
            (drawn[key] ??= []).push(number(style.getPropertyValue(key).replace(/%$/, "")));
      }
      for (const mark of part.classList) (seen.marked[mark] ??= []).push(name);
    }
    for (const { dataset, type, checked, value, ariaInvalid } of all("[data-set]", element)) {
      if (type !== "radio") seen.controls[dataset.set] = number(value);
      else if (checked) seen.controls[dataset.set] = value;
      if (ariaInvalid === "true") seen.invalid.push(dataset.at);
    }
    for (const parts of [seen.hidden, ...Object.values(seen.marked)]) parts.sort();
    return seen;
  };

  // The parts of bars that are not as large, or not where they should be, as they declare.
  const misdrawn = (element) => {
    const found = [];
    const box = (part) => part.getBoundingClientRect();
    const expect = (part, measured, declared, unit, most = 0.1) => {
      if (declared === "" || Math.abs(measured - parseFloat(declared) * unit) <= most) return;
      found.push(`${start(part)}: ${measured} is not ${declared} of ${unit}`);
    };
    const heights = all("[data-part^=delta-bars] > i", element).map((bar) => box(bar).height);
    const unit = Math.max(...heights);
    if (heights.length && unit < 40) found.push(`a bar of one is ${unit} high`);
    for (const bar of all(".bars > i", element)) {
      const isMark = bar.matches(".mark");
      const { height, bottom } = box(bar);
      const above = box(bar.parentElement.firstElementChild).bottom - bottom;
      expect(bar, height, isMark ? "" : bar.style.getPropertyValue("--high"), unit);
      const from = bar.style.getPropertyValue("--from");
      expect(bar, isMark ? above + height / 2 : above, from, unit, isMark ? 1 : 0.1);
    }
    for (const part of all(".line > i", element).filter((i) => i.checkVisibility())) {
      const { left, width } = box(part.parentElement);
      expect(part, box(part).width, part.style.width, width / 100);
      expect(part, box(part).left + 1 - left, part.style.left, width / 100, 0.5);
      const share = part.parentElement.style.getPropertyValue("--true");
      const others = share && `${100 - parseFloat(share)}%`;
      expect(part, box(part).width, part.matches(".others") ? others : share, width / 100);
    }
    return found;
  };

  // Set each state in turn, and look.
  const explore = (element, states) =>
    states.map((state) => {
      element.state = state;
      return look(element);
    });

  // Set the address to each of these in turn, put a new explorer there, and look.
  const renew = (element, queries) =>
    queries.map((query) => {
      history.replaceState(null, "", query);
      const fresh = document.createElement(element.localName);
      element.replaceWith(fresh);
      element = fresh;
      return [fresh.state, fresh.textContent];
    });

  return { view, violations, unfit, focused, stops, blocks, look, misdrawn, explore, renew };
})();
