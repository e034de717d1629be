/* torch.gather: which cell of input each cell of out comes from, and what torch refuses. */
"use strict";
{
  const { Explorer, define, fixed, isNumber, short } = explorers;
  const LONGEST = 6; // of an index, along any dimension

  /* The inputs: their code in PyTorch, their values, and an index to begin with. The
     digits of an address, 12, are the place of its cell: row 1, column 2. */
  const LOGITS = [
    [0, 0.2, 0.7, 0.1, 0],
    [0, 0.9, 0.2, 0.2, 1],
    [1, 0.2, 0.7, 0.9, 1],
  ];
  const INPUTS = {
    "1d": {
      code: "torch.arange(10, 15)",
      shape: [5],
      at: ([i]) => 10 + i,
      dim: 0,
      index: [3, 3, 0],
    },
    logits: {
      code: `torch.tensor([[${LOGITS.map((row) => row.join(", ")).join("],\n                      [")}]])`,
      shape: [3, 5],
      at: ([i, j]) => LOGITS[i][j],
      real: true,
      dim: 1,
      index: [[2], [1], [0]],
    },
    "2d": {
      code: "torch.arange(30).reshape(3, 10)[:, :5]",
      shape: [3, 5],
      at: ([i, j]) => 10 * i + j,
      dim: 0,
      index: [[2, 1, 0]],
    },
    "3d": {
      code: "torch.arange(200).reshape(2, 10, 10)[:, :3, :4]",
      shape: [2, 3, 4],
      at: ([i, j, k]) => 100 * i + 10 * j + k,
      dim: 1,
      index: [[[1, 0]], [[2, 1]]],
    },
  };

  /* Every position in a tensor of this shape, in order. */
  const cells = (shape) =>
    shape.reduce(
      (found, size) => found.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
      [[]],
    );
  const get = (nested, at) => at.reduce((part, i) => part?.[i], nested);
  const build = (shape, value, at = []) =>
    at.length === shape.length
      ? value(at)
      : Array.from({ length: shape[at.length] }, (_, i) => build(shape, value, [...at, i]));

  /* The shape of a nested list of integers, or undefined if it is none. */
  function shapeOf(nested) {
    const shape = [];
    for (let part = nested; Array.isArray(part); part = part[0]) shape.push(part.length);
    const fits = shape.length >= 1 && shape.length <= 3 && shape.every((n) => isNumber(n, 1, LONGEST));
    if (!fits) return undefined;
    const regular = build(shape, (at) => get(nested, at));
    const whole = cells(shape).every((at) => {
      const value = get(nested, at);
      return Number.isInteger(value) && isNumber(value, -99, 99);
    });
    return whole && JSON.stringify(regular) === JSON.stringify(nested) ? shape : undefined;
  }

  /* The positions of an index in the order in which torch reads them on a CPU: it is the
     first wrong one that its message names. */
  function readingOrder(shape, dim) {
    const others = shape.map((_, d) => d).filter((d) => d !== dim && shape[d] > 1);
    const inner = others.pop() ?? dim;
    const order = dim === shape.length - 1 ? [...others, inner, dim] : [...others, dim, inner];
    const place = (at) => order.map((d) => at[d]);
    return cells(shape).sort((a, b) => {
      const d = place(a).findIndex((i, n) => i !== place(b)[n]);
      return d < 0 ? 0 : place(a)[d] - place(b)[d];
    });
  }

  class Gather extends Explorer {
    static text = {
      title: "Explorer: which cell does torch.gather pick?",
      input: "input",
      inputs: {
        "1d": "one dimension",
        logits: "two: the logits",
        "2d": "two: addresses",
        "3d": "three: addresses",
      },
      dim: "dim",
      index: "index",
      dimensions: "Dimensions of index",
      size: (d) => `Size of index along dimension ${d}`,
      caption:
        "<strong>Point at a cell of <code>out</code>: it lights a line of <code>input</code> along <code>dim</code>, and <code>index</code> says which cell of that line to take.</strong> " +
        "Change a number of <code>index</code>, or its shape.",
      truncated: (d, short, long) =>
        `index has ${short} of ${long} along dimension ${d}, so out has no more: gather truncates, it does not broadcast`,
    };

    initial = { input: "logits", dim: 1, index: [[2], [1], [0]], cell: [1, 0] };

    accept({ input, dim, index, cell }) {
      const name = Object.hasOwn(INPUTS, input) ? input : this.initial.input;
      const { shape } = INPUTS[name];
      const known = shapeOf(index);
      const valid = known ? index : INPUTS[name].index;
      const size = known ?? shapeOf(valid);
      const inside = [cell, this.initial.cell].find((place) =>
        cells(size).some((at) => JSON.stringify(at) === JSON.stringify(place)),
      );
      return {
        input: name,
        dim: Number.isInteger(dim) && dim in shape ? dim : INPUTS[name].dim,
        index: valid,
        cell: inside ?? size.map(() => 0),
      };
    }

    shape({ input, index }) {
      return [input, shapeOf(index)];
    }

    connectedCallback() {
      super.connectedCallback();
      const point = (cell) => {
        if (cell && cell !== String(this.state.cell)) {
          this.state = { ...this.state, cell: cell.split(",").map(Number) };
          this.settle();
        }
      };
      // Not pointerover: what comes to lie under a still pointer is not pointed at.
      this.addEventListener("pointermove", ({ target }) =>
        point(target.closest("[data-cell]")?.dataset.cell),
      );
      this.addEventListener("focusin", ({ target }) => point(target.dataset.at));
    }

    template({ input, index }) {
      const { text } = Gather;
      const given = INPUTS[input];
      const sizes = shapeOf(index);
      const options = (values, chosen, name) =>
        values
          .map((v) => `<option value="${v}"${v === chosen ? " selected" : ""}>${name(v)}</option>`)
          .join("");
      const tensor = (name, shape, cell) => {
        const rows = (at) => {
          const left = shape.slice(at.length);
          const columns = cells(left.slice(-1));
          const lines = cells(left.slice(0, -1));
          return lines
            .map((i) => `<tr>${columns.map((j) => cell([...at, ...i, ...j])).join("")}</tr>`)
            .join("");
        };
        const slices = shape.length < 3 ? [[]] : cells(shape.slice(0, 1));
        const tables = slices.map(
          (at) => `<table class="cells"><caption${at.length ? ' class="slice"' : ""}>${name}${
            at.length ? `[${at}]` : ""
          }</caption>
            <tbody>${rows(at)}</tbody></table>`,
        );
        return `<div class="tensor ${name}"><p class="name">${name} <span>(${shape.join(", ")}${
          shape.length > 1 ? "" : ","
        })</span></p><div class="slices">${tables.join("")}</div></div>`;
      };
      return `
        <div class="controls">
          <label><code>${text.input}</code>
            <select data-set="input">${options(Object.keys(INPUTS), input, (v) => text.inputs[v])}
            </select></label>
          <fieldset><legend><code>${text.dim}</code></legend>
            ${given.shape
              .map((_, d) => `<label class="pill"><input type="radio" name="gather-dim" value="${d}"
                data-set="dim" aria-label="dim ${d}"><span>${d}</span></label>`)
              .join("")}</fieldset>
          <fieldset><legend><code>${text.index}</code></legend>
            <select data-set="dimensions" aria-label="${text.dimensions}">
              ${options([1, 2, 3], sizes.length, (v) => `${v}-D`)}</select>
            ${sizes
              .map((n, d) => `<input type="number" min="1" max="${LONGEST}" value="${n}"
                data-set="size-${d}" aria-label="${text.size(d)}">`)
              .join("<span>×</span>")}</fieldset>
        </div>
        <div class="tensors">
          ${tensor("index", sizes, (at) => `<td data-part="index-${at}">
            <input type="number" min="-99" max="99" value="${get(index, at)}"
              data-set="index-${at}" data-at="${at}" aria-label="index[${at.join(", ")}]"></td>`)}
          ${tensor("input", given.shape, (at) => `<td data-part="input-${at}">${short(
            given.at(at),
          )}</td>`)}
          ${tensor("out", sizes, (at) => `<td data-part="out-${at}"><label data-cell="${at}">
            <input type="radio" name="gather-cell" value="${at}" data-set="cell">
            <span data-part="value-${at}"></span></label></td>`)}
        </div>
        <p class="formula" data-part="formula"></p>
        <p class="error" data-part="error"></p>
        <p class="note" data-part="note"></p>
        <p class="explorer-caption">${text.caption}</p>`;
    }

    update({ input, dim, index, cell }) {
      const { shape, at: value, real } = INPUTS[input];
      const sizes = shapeOf(index);
      const source = (at) => at.with(dim, get(index, at));
      const within = (at) => isNumber(get(index, at), 0, shape[dim] - 1);
      const misshapen = this.#misshapen(shape, sizes, dim);
      const wrong = misshapen ? undefined : readingOrder(sizes, dim).find((at) => !within(at));
      const error =
        misshapen ??
        (wrong &&
          `index ${get(index, wrong)} is out of bounds for dimension ${dim} with size ${shape[dim]}`);
      const out = error ? null : build(sizes, (at) => value(source(at)));
      this.values = { out, error: error ?? null };

      const lit = misshapen ? null : cell.with(dim, "any");
      for (const at of cells(shape)) {
        const { classList } = this.part(`input-${at}`);
        const on = lit !== null && lit.every((i, d) => i === "any" || i === at[d]);
        classList.toggle("lit", on);
        classList.toggle("start", on && cell[dim] === at[dim]);
        classList.toggle("picked", on && get(index, cell) === at[dim]);
      }
      for (const at of cells(sizes)) {
        const chosen = String(at) === String(cell);
        const control = this.fill(`index-${at}`, get(index, at));
        control.setAttribute("aria-invalid", !misshapen && !within(at));
        this.part(`index-${at}`).classList.toggle("start", chosen);
        this.part(`out-${at}`).classList.toggle("picked", chosen && !error);
        const radio = this.part(`out-${at}`).querySelector("input");
        const picked = error ? "" : short(get(out, at));
        radio.checked = chosen;
        radio.setAttribute("aria-label", `out[${at.join(", ")}] = ${picked}`);
        this.write(`value-${at}`, picked);
      }
      sizes.forEach((n, d) => this.fill(`size-${d}`, n));
      for (const pill of this.querySelectorAll('[data-set="dim"]')) {
        pill.checked = Number(pill.value) === dim;
      }
      this.querySelector(".tensor.out").hidden = Boolean(error);
      this.part("error").textContent = error ? `RuntimeError: ${error}` : "";
      this.part("note").textContent = error ? "" : this.#note(shape, sizes, dim);
      this.part("formula").innerHTML = error ? "" : this.#formula(cell, dim, source(cell), real, value);
    }

    #misshapen(shape, sizes, dim) {
      if (shape.length !== sizes.length) {
        return "Index tensor must have the same number of dimensions as input tensor";
      }
      const long = sizes.findIndex((n, d) => d !== dim && n > shape[d]);
      if (long < 0) return undefined;
      const [index, self] = [sizes, shape].map((size) => `[${size.join(", ")}]`);
      return `Size does not match at dimension ${long} expected index ${index} to be no larger than self ${self} apart from dimension ${dim}`;
    }

    #note(shape, sizes, dim) {
      const d = sizes.findIndex((n, d) => d !== dim && n < shape[d]);
      return d < 0 ? "" : Gather.text.truncated(d, sizes[d], shape[d]);
    }

    #formula(cell, dim, from, real, value) {
      const place = (at) => at.join(", ");
      const written = cell.with(dim, `<b>index[${place(cell)}]</b>`);
      const number = real ? fixed(value(from)) : String(value(from));
      const source = from.with(dim, `<b>${from[dim]}</b>`);
      return `<span class="term">out[${place(cell)}] = input[${place(written)}]</span>
        <span class="term">= input[${place(source)}] = <strong data-part="picked">${number}</strong></span>`;
    }

    input({ dataset, value }, { input, index }) {
      const [field, place] = dataset.set.split("-", 2);
      const number = Number(value);
      const sizes = shapeOf(index);
      const resized = (shape) => ({
        index: build(shape, (at) => {
          const old = get(index, at);
          return Number.isInteger(old) ? old : 0;
        }),
      });
      switch (field) {
        case "input":
          return { input: value, dim: INPUTS[value].dim, index: INPUTS[value].index, cell: null };
        case "cell":
          return { cell: value.split(",").map(Number) };
        case "index": {
          const at = dataset.at.split(",").map(Number);
          const fits = Number.isInteger(number) && isNumber(number, -99, 99);
          return fits ? { index: build(sizes, (i) => (String(i) === String(at) ? number : get(index, i))) } : {};
        }
        case "size": {
          const fits = Number.isInteger(number) && isNumber(number, 1, LONGEST);
          return fits ? resized(sizes.with(Number(place), number)) : {};
        }
        case "dimensions": {
          // What is added has size one; what goes, goes with all but its first entry.
          const added = Array.from({ length: number }, (_, d) => sizes[d] ?? 1);
          const whole = (at) => sizes.map((_, d) => at[d] ?? 0);
          return { index: build(added, (at) => get(index, whole(at))) };
        }
        default:
          return { [field]: number, input };
      }
    }

    summary() {
      return this.part("error").textContent || this.part("formula").textContent;
    }

    get snippet() {
      const { input, dim, index } = this.state;
      return `import torch

input = ${INPUTS[input].code}
index = torch.tensor(${JSON.stringify(index).replaceAll(",", ", ")})
print(input.gather(${dim}, index))
`;
    }
  }
  define("explore-gather", Gather);
}
