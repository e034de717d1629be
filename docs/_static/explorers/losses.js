/* From logits to the loss, stage by stage: three last layers, two losses, six pairs. */
"use strict";
{
  const { Explorer, define, fixed, isNumber, logSoftmax, math, softmax, sum } = explorers;
  const LOGIT = 20;
  const LAYERS = ["none", "softmax", "log_softmax"];
  const LOSSES = ["cross_entropy", "nll_loss"];

  class Losses extends Explorer {
    static text = {
      title: "Explorer: NLLLoss and CrossEntropyLoss, stage by stage",
      layer: "last layer",
      layers: { none: "none", softmax: "softmax", log_softmax: "log_softmax" },
      loss: "loss",
      model: "the model",
      steps: { softmax: "softmax", log: "log", pick: "pick", negate: "negate", mean: "mean" },
      logitOf: (n, k) => `Logit of row ${n}, class ${k}`,
      targetOf: (n) => `True class of row ${n}`,
      wrong: (right) => `Wrong, and no error is raised: the right loss is ${right}.`,
      verdicts: {
        "none cross_entropy": "Right: logits go into cross_entropy.",
        "none nll_loss": "The logarithm of the softmax is missing: what is averaged is −z, and it falls without end.",
        "softmax cross_entropy": (least) => `Softmax twice: however sure the model is, the loss stays above ${least}.`,
        "softmax nll_loss": "The logarithm is missing: what is averaged is −p, and the loss is negative.",
        "log_softmax cross_entropy": "Right, once too often: the log-softmax of a log-softmax is the same again.",
        "log_softmax nll_loss": "Right: log-probabilities go into nll_loss.",
      },
      summary: (loss, verdict) => `Loss ${loss}. ${verdict}`,
    };

    initial = {
      layer: "none",
      loss: "cross_entropy",
      target: [2, 1, 0],
      logits: [
        [0, 0.2, 0.7, 0.1, 0],
        [0, 0.9, 0.2, 0.2, 1],
        [1, 0.2, 0.7, 0.9, 1],
      ],
    };

    accept({ layer, loss, target, logits }) {
      const { initial } = this;
      const N = initial.logits.length;
      const K = initial.logits[0].length;
      const list = (values, size, valid) =>
        Array.isArray(values) && values.length === size && values.every(valid);
      const isClass = (y) => Number.isInteger(y) && isNumber(y, 0, K - 1);
      const isRow = (row) => list(row, K, (z) => isNumber(z, -LOGIT, LOGIT));
      return {
        layer: LAYERS.includes(layer) ? layer : initial.layer,
        loss: LOSSES.includes(loss) ? loss : initial.loss,
        target: list(target, N, isClass) ? target : initial.target,
        logits: list(logits, N, isRow) ? logits : initial.logits,
      };
    }

    /* What happens to a row, in order: by the model, then by the loss. */
    steps({ layer, loss }) {
      const log_softmax = ["softmax", "log"];
      const model = { none: [], softmax: ["softmax"], log_softmax }[layer];
      return { model, loss: loss === "nll_loss" ? [] : log_softmax };
    }

    shape({ layer, loss }) {
      return [layer, loss];
    }

    template(state) {
      const { text } = Losses;
      const { logits, layer, loss } = state;
      const { model, loss: own } = this.steps(state);
      const pills = (name, values, words) => `
        <fieldset><legend>${text[name]}</legend>${values
          .map((value) => `<label class="pill"><input type="radio" name="losses-${name}"
            value="${value}" data-set="${name}"><span><code>${words(value)}</code></span></label>`)
          .join("")}</fieldset>`;
      const rows = (cell, more = () => "") =>
        logits.map((row, n) => `<tr>${row.map((_, k) => cell(n, k)).join("")}${more(n)}</tr>`).join("");
      const table = (name, label, body) => `<table class="cells ${name}">
        <caption${name.length === 1 ? ' class="slice"' : ""}>${label}</caption><tbody>${body}</tbody></table>`;
      const arrow = (step) => `<p class="step"><code>${text.steps[step]}</code></p>`;
      const stage = (step, s) =>
        arrow(step) +
        table(step, text.steps[step], rows((n, k) => `<td data-part="stage-${s}-${n}-${k}"></td>`));
      const column = (name) => table(
        name,
        text.steps[name],
        logits.map((_, n) => `<tr><td data-part="${name}-${n}"></td></tr>`).join(""),
      );
      const classes = (n) =>
        `<td class="y"><select data-set="target-${n}" aria-label="${text.targetOf(n)}">${logits[0]
          .map((_, k) => `<option>${k}</option>`)
          .join("")}</select></td>`;
      return `
        <div class="controls">
          ${pills("layer", LAYERS, (value) => text.layers[value])}
          ${pills("loss", LOSSES, (value) => value)}
        </div>
        <div class="stages">
          <div class="group">
            <p class="name">${text.model}</p>
            <div class="given">
            ${table("z", math("{z}"), rows((n, k) => `<td><input type="number" step="0.1"
              min="${-LOGIT}" max="${LOGIT}" data-set="logit-${n}-${k}"
              aria-label="${text.logitOf(n, k)}"></td>`))}
            ${table("y", math("{y}"), logits.map((_, n) => `<tr>${classes(n)}</tr>`).join(""))}
            </div>
            ${model.map(stage).join("")}
          </div>
          <div class="group">
            <p class="name"><code>F.${loss}</code></p>
            ${own.map((step, s) => stage(step, model.length + s)).join("")}
            <div class="last">
              <div>${arrow("pick")}${column("pick")}</div>
              <div>${arrow("negate")}${column("negate")}</div>
              <div>${arrow("mean")}<p class="result"><strong data-part="loss"></strong></p></div>
            </div>
          </div>
        </div>
        <p class="verdict" data-part="verdict"></p>`;
    }

    update(state) {
      const { layer, loss: name, target, logits } = state;
      const { model, loss: own } = this.steps(state);
      const stages = [];
      let rows = logits;
      let source; // what the last softmax was given: the logarithm begins there, to be exact
      for (const step of [...model, ...own]) {
        if (step === "softmax") source = rows;
        rows = step === "softmax" ? rows.map(softmax) : source.map(logSoftmax);
        stages.push(rows);
      }
      const picked = target.map((y, n) => rows[n][y]);
      const negated = picked.map((value) => -value);
      const mean = (values) => sum(values) / values.length;
      const loss = mean(negated);
      const right = mean(target.map((y, n) => -logSoftmax(logits[n])[y]));
      this.values = { stages, picked, negated, loss, right };

      logits.forEach((row, n) => {
        row.forEach((z, k) => {
          const control = this.fill(`logit-${n}-${k}`, z);
          control.parentElement.classList.toggle("picked", !stages.length && target[n] === k);
          stages.forEach((stage, s) => {
            this.write(`stage-${s}-${n}-${k}`, fixed(stage[n][k]));
            const chosen = s === stages.length - 1 && target[n] === k;
            this.part(`stage-${s}-${n}-${k}`).classList.toggle("picked", chosen);
          });
        });
        this.querySelector(`[data-set="target-${n}"]`).value = target[n];
        this.write(`pick-${n}`, fixed(picked[n]));
        this.write(`negate-${n}`, fixed(negated[n]));
      });
      for (const pill of this.querySelectorAll(".controls input")) {
        pill.checked = pill.value === state[pill.dataset.set];
      }
      this.write("loss", fixed(loss));
      this.#judge(`${layer} ${name}`);
    }

    #judge(pair) {
      const { text } = Losses;
      const { right } = this.values;
      const K = this.state.logits[0].length;
      const words = text.verdicts[pair];
      const isRight = ["none cross_entropy", "log_softmax cross_entropy", "log_softmax nll_loss"].includes(pair);
      const said = typeof words === "function" ? words(fixed(Math.log(1 + (K - 1) / Math.E))) : words;
      this.part("verdict").textContent = isRight ? said : `${text.wrong(fixed(right))} ${said}`;
      this.part("verdict").classList.toggle("error", !isRight);
    }

    input({ dataset, value }, { target, logits }) {
      const [field, n, k] = dataset.set.split("-");
      if (field === "logit") {
        const row = logits[n].with(Number(k), Number(value));
        return isNumber(Number(value), -LOGIT, LOGIT) ? { logits: logits.with(Number(n), row) } : {};
      }
      if (field === "target") return { target: target.with(Number(n), Number(value)) };
      return { [field]: value };
    }

    summary() {
      return Losses.text.summary(fixed(this.values.loss), this.part("verdict").textContent);
    }

    get snippet() {
      const { layer, loss, target, logits } = this.state;
      const rows = logits.map((row) => `[${row.join(", ")}]`).join(",\n                       ");
      return `import torch
import torch.nn.functional as F

logits = torch.tensor([${rows}], dtype=torch.float64)
target = torch.tensor([${target.join(", ")}])
x = logits${layer === "none" ? "" : `.${layer}(dim=1)`}
loss = F.${loss}(x, target)
print(f"{loss:.4f}")
`;
    }
  }
  define("explore-losses", Losses);
}
