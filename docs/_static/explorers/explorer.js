/* What the explorers share: the mathematics in float64, numbers as Python prints them,
   and the element that keeps a state, in the address of the page too.

   Classic deferred scripts, not modules: a browser loads no module from file://, and this
   site can be read without a server. */
"use strict";
globalThis.explorers = (() => {
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  const dot = (a, b) => sum(a.map((value, k) => value * b[k]));

  function logSoftmax(z) {
    const top = Math.max(...z);
    const log = top + Math.log(sum(z.map((value) => Math.exp(value - top))));
    return z.map((value) => value - log);
  }

  function softmax(z) {
    const top = Math.max(...z);
    const powers = z.map((value) => Math.exp(value - top));
    const total = sum(powers);
    return powers.map((power) => power / total);
  }

  const oneHot = (y, K) => Array.from({ length: K }, (_, k) => Number(k === y));
  // As label_smoothing.smooth adds it up, so that halves are rounded alike.
  const smooth = (y, K, epsilon) =>
    oneHot(y, K).map((delta) => (1 - epsilon) * delta + epsilon * (1 / K));
  const entropy = (q) => sum(q.map((value) => (value > 0 ? -value * Math.log(value) : 0)));

  /* Write a number as Python's f"{value:.4f}". Both round what the float64 really is; only
     a tie, an odd multiple of 1/2^(digits+1), goes to even there and away from zero here. */
  function fixed(value, digits = 4) {
    if (!Number.isFinite(value)) return String(value).replace("Infinity", "inf").toLowerCase();
    const parts = value * 2 ** (digits + 1);
    let text = Math.abs(value).toFixed(digits);
    if (Number.isInteger(parts) && parts % 2 !== 0) {
      const below = BigInt(Math.floor(Math.abs(parts))) * 5n ** BigInt(digits) / 2n;
      const even = String(below + (below & 1n)).padStart(digits + 1, "0");
      text = `${even.slice(0, -digits)}.${even.slice(-digits)}`;
    }
    return value < 0 || Object.is(value, -0) ? `-${text}` : text;
  }

  /* As figures._style.short: at most four decimals. */
  const short = (value) => fixed(value).replace(/\.?0+$/, "").replace(/^-0$/, "0");

  /* Show a number: with a minus that is as wide as a plus. */
  const shown = (text) => text.replace("-", "−");

  const mi = (name, colour = "") => `<mi${colour && ` class="${colour}"`}>${name}</mi>`;
  const symbols = {
    delta: mi("δ", "delta"),
    u: mi("u", "u"),
    q: `<mrow class="q"><mi>q</mi><mo lspace="0" rspace="0">′</mo></mrow>`,
    p: mi("p", "p"),
    z: mi("z"),
    y: mi("y"),
    K: mi("K"),
    epsilon: mi("ε"),
  };
  /* A formula: letters that are a symbol's name in braces, `H({q}, {p})`. */
  const math = (formula) =>
    `<math>${formula.replace(/\{(\w+)\}|[A-Z]|[(),−]/g, (found, name) => {
      if (name) return symbols[name];
      if (/[A-Z]/.test(found)) return mi(found);
      return `<mo stretchy="false">${found}</mo>`;
    })}</math>`;
  /* A text in which `{q}` is the symbol. */
  const rich = (text) => text.replace(/\{\w+\}/g, math);

  const isNumber = (value, least, most) =>
    typeof value === "number" && value >= least && value <= most;
  const fraction = (value, most) => `${(100 * value) / most}%`;
  /* What a slider in steps of 0.1 or 0.01 can show. */
  const stepped = (value, digits) => Number(value.toFixed(digits));

  /* The figure stays where a browser is too old: of all that is used here, `with` came last. */
  const define = (name, element) => [].with && customElements.define(name, element);

  /* A custom element with a state, `element.state = {...}`, whose every number is
     `element.values`, unrounded. A subclass has

       static text      its own words, all of them
       initial          the state it starts from
       accept(state)    the state made valid; what is not is replaced
       template()       its HTML, again whenever shape(state) changes
       update()         computes `values` and writes them into the HTML
       input(control)   what a control with data-set changes in the state
       summary()        one sentence for a screen reader
       snippet          the same in PyTorch */
  class Explorer extends HTMLElement {
    static text = { copy: "Copy as PyTorch", copied: "Copied", reset: "Reset" };

    #state;
    #shape;
    #hand; // the control that is being changed
    #resting;
    #saying;

    connectedCallback() {
      if (this.#state) return;
      const { text } = Explorer;
      this.name = this.localName.replace("explore-", "");
      this.setAttribute("role", "group");
      this.setAttribute("aria-label", this.constructor.text.title);
      this.innerHTML = `
        <div class="explorer-body"></div>
        <p class="explorer-actions">
          <button type="button" data-action="copy">${text.copy}</button>
          <button type="button" data-action="reset">${text.reset}</button>
          <span class="explorer-copied" role="status"></span>
          <textarea readonly rows="8" aria-label="${text.copy}" hidden></textarea>
        </p>
        <p class="explorer-summary" role="status"></p>`;
      this.addEventListener("input", (event) => this.#changed(event.target));
      // What was typed and not accepted goes. Not at once: a control that is replaced while
      // it has the focus changes as well, before the new ones are there.
      this.addEventListener("change", () => queueMicrotask(() => this.update(this.state)));
      this.addEventListener("click", ({ target }) => {
        const action = target.closest("[data-action]")?.dataset.action;
        if (action === "copy") this.#copy();
        if (action === "reset") {
          this.state = this.initial;
          this.settle();
        }
      });
      this.state = this.#read();
    }

    get state() {
      return structuredClone(this.#state);
    }

    set state(state) {
      this.#state = this.accept({ ...this.initial, ...state });
      const shape = JSON.stringify(this.shape(this.#state));
      if (shape !== this.#shape) {
        this.#shape = shape;
        const { activeElement } = document;
        const held = this.contains(activeElement) && activeElement.dataset.set;
        const one = activeElement?.type === "radio" ? `[value="${activeElement.value}"]` : "";
        this.querySelector(".explorer-body").innerHTML = this.template(this.state);
        if (held) this.querySelector(`[data-set="${held}"]${one}`)?.focus();
      }
      this.#sayNothing(); // what was copied is of another state
      this.update(this.state);
    }

    part(name) {
      return this.querySelector(`[data-part="${name}"]`);
    }

    /* Show a value in its control, unless that is what it says already, or the hand is in
       the middle of a number there: 15 begins with 1. */
    fill(field, value) {
      const control = this.querySelector(`[data-set="${field}"]`);
      const same = control.value !== "" && Number(control.value) === value;
      if (!same && control !== this.#hand) control.value = value;
      return control;
    }

    write(name, text) {
      this.part(name).textContent = shown(text);
    }

    #changed(control) {
      if (!control.dataset.set || control.value === "") return;
      this.#hand = control;
      this.state = { ...this.state, ...this.input(control, this.state) };
      this.#hand = null;
      this.settle();
    }

    /* Once the hand rests, keep the state in the address and say what came out. */
    settle() {
      clearTimeout(this.#resting);
      this.#resting = setTimeout(() => {
        this.querySelector(".explorer-summary").textContent = this.summary();
        this.#keep();
      }, 600);
    }

    #read() {
      const state = {};
      for (const [key, text] of new URLSearchParams(location.search)) {
        const [name, field] = key.split(".");
        if (name !== this.name || !Object.hasOwn(this.initial, field)) continue;
        try {
          state[field] = JSON.parse(text);
        } catch {
          state[field] = text;
        }
      }
      return state;
    }

    /* `?mix.smoothing=0.3&mix.logits=[0,1]`: only what differs from the initial state. */
    #keep() {
      const others = location.search.slice(1).split("&");
      const kept = others.filter((part) => part && !part.startsWith(`${this.name}.`));
      for (const [field, value] of Object.entries(this.#state)) {
        const text = typeof value === "string" ? value : JSON.stringify(value);
        const first = this.accept(this.initial)[field];
        if (JSON.stringify(value) === JSON.stringify(first)) continue;
        const escaped = encodeURIComponent(text).replace(/%(5B|5D|2C)/g, decodeURIComponent);
        kept.push(`${this.name}.${field}=${escaped}`);
      }
      const query = kept.length ? `?${kept.join("&")}` : location.pathname;
      history.replaceState(history.state, "", query + location.hash);
    }

    async #copy() {
      this.#sayNothing();
      try {
        await navigator.clipboard.writeText(this.snippet);
        this.querySelector(".explorer-copied").textContent = Explorer.text.copied;
        this.#saying = setTimeout(() => this.#sayNothing(), 2500);
      } catch {
        // No clipboard, as on a page from another machine without https.
        const area = this.querySelector("textarea");
        area.value = this.snippet;
        area.hidden = false;
        area.select();
      }
    }

    #sayNothing() {
      clearTimeout(this.#saying);
      this.querySelector(".explorer-copied").textContent = "";
      this.querySelector("textarea").hidden = true;
    }
  }

  return {
    Explorer, define, dot, entropy, fixed, fraction, isNumber, logSoftmax, math, oneHot, rich, short,
    smooth, softmax, stepped, sum,
  };
})();
