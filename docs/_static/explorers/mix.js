/* The target q' = (1 - ε) δ + ε u of one row, the prediction p, and the loss between them. */
"use strict";
{
  const {
    Explorer, define, dot, entropy, fixed, fraction, isNumber, logSoftmax, math, oneHot, rich, short,
    smooth, softmax, stepped,
  } = explorers;
  const CLASSES = [2, 10];
  const LOGIT = 5;
  const HIGH = 3; // nats: the least length of the bar of the loss

  class Mix extends Explorer {
    static text = {
      title: "Explorer: mix a one-hot target with the uniform distribution",
      smoothing: "Smoothing",
      classes: "Classes",
      rows: {
        y: "true class",
        delta: "one-hot",
        u: "uniform",
        q: "target",
        p: "prediction",
        gradient: "gradient",
        z: "logits",
      },
      targetOf: (k) => `True class ${k}`,
      logitOf: (k) => `Logit of class ${k}`,
      table: "Target, prediction and gradient by class",
      floor: "floor",
      caption:
        "<strong>A bar of {q} is a share of {delta} on top of a share of {u}.</strong> " +
        "The marks on {p} show {q}: training moves {p} to them, and the loss to its floor.",
      bar: (loss, hard, soft, floor) =>
        `The loss, ${loss}, as a bar of two parts, ${hard} and ${soft}; a mark at its floor, ${floor}`,
      summary: (loss, floor) => `Loss ${loss}, floor ${floor}.`,
    };

    initial = { smoothing: 0.3, target: 2, logits: [0, 0.2, 0.7, 0.1, 0] };

    accept({ smoothing, target, logits }) {
      const { initial } = this;
      const fits =
        Array.isArray(logits) &&
        isNumber(logits.length, ...CLASSES) &&
        logits.every((z) => isNumber(z, -LOGIT, LOGIT));
      const z = fits ? logits : initial.logits;
      const y = Number.isInteger(target) && target >= 0 ? target : initial.target;
      return {
        smoothing: isNumber(smoothing, 0, 1) ? stepped(smoothing, 2) : initial.smoothing,
        target: Math.min(y, z.length - 1),
        logits: z.map((value) => stepped(value, 1)),
      };
    }

    shape({ logits }) {
      return logits.length;
    }

    template({ logits }) {
      const { text } = Mix;
      const K = logits.length;
      const cells = (html) => logits.map((_, k) => `<td>${html(k)}</td>`).join("");
      const heading = (name, symbol) =>
        `<th scope="row">${math(symbol)} <span class="word">${text.rows[name]}</span></th>`;
      const row = (name, bars) => `
        <tr class="${name}">
          ${heading(name, `{${name}}`)}
          ${cells((k) => `<div class="bars" data-part="${name}-bars-${k}">${bars}</div>
            <span class="number" data-part="${name}-${k}"></span>`)}
        </tr>`;
      const many = Array.from({ length: CLASSES[1] - 1 }, (_, n) => n + CLASSES[0]);
      return `
        <div class="controls">
          <label class="epsilon">${math("{epsilon}")} <span>${text.smoothing}</span>
            <input type="range" min="0" max="1" step="0.01" data-set="smoothing">
            <b data-part="smoothing" aria-hidden="true"></b></label>
          <label>${math("{K}")} <span>${text.classes}</span>
            <select data-set="classes">${many
              .map((n) => `<option${n === K ? " selected" : ""}>${n}</option>`)
              .join("")}</select></label>
        </div>
        <table class="chart classes-${K}">
          <caption>${text.table}</caption>
          <thead><tr>
            ${heading("y", "{y}")}
            ${logits
              .map((_, k) => `<th scope="col"><label class="pill">
                <input type="radio" name="mix-target" value="${k}" data-set="target"
                  aria-label="${text.targetOf(k)}"><span>${k}</span></label></th>`)
              .join("")}
          </tr></thead>
          <tbody>
          ${row("delta", `<i class="delta"></i>`)}
          ${row("u", `<i class="u"></i>`)}
          ${row("q", `<i class="delta"></i><i class="u"></i>`)}
          ${row("p", `<i class="p"></i><i class="gap"></i><i class="mark q"></i>`)}
          <tr class="gradient">
            ${heading("gradient", "{p}−{q}")}
            ${cells((k) => `<span class="number" data-part="gradient-${k}"></span>`)}
          </tr>
          <tr class="z">
            ${heading("z", "{z}")}
            ${cells((k) => `<input type="range" class="upright" min="${-LOGIT}" max="${LOGIT}"
                step="0.1" data-set="logit-${k}" aria-label="${text.logitOf(k)}">
              <span class="number" data-part="z-${k}"></span>`)}
          </tr>
          </tbody>
        </table>
        <div class="loss">
          <p class="sum">
            <span class="term">${math("H({q},{p})")}
              = </span>
            <span class="term"><b data-part="hard-weight"></b> ×
              <b class="delta" data-part="hard"></b></span>
            <span class="term">+ <b data-part="soft-weight"></b> ×
              <b class="u" data-part="soft"></b></span>
            <span class="term">= <strong data-part="loss"></strong></span>
          </p>
          <div class="line" role="img" data-part="line">
            <i class="delta"></i><i class="u"></i><i class="mark q"></i>
          </div>
          <p class="floor">${text.floor}
            ${math("H({q})")} = <b class="q" data-part="floor"></b></p>
        </div>
        <p class="explorer-caption">${rich(text.caption)}</p>`;
    }

    update({ smoothing, target, logits }) {
      const K = logits.length;
      const delta = oneHot(target, K);
      const u = delta.map(() => 1 / K);
      const q = smooth(target, K, smoothing);
      const p = softmax(logits);
      const logP = logSoftmax(logits);
      const gradient = p.map((value, k) => value - q[k]);
      const hard = 0 - logP[target];
      const soft = 0 - dot(u, logP);
      const loss = 0 - dot(q, logP);
      const floor = entropy(q);
      this.values = { delta, u, q, p, gradient, hard, soft, loss, floor };

      const digits = K <= 6 ? 4 : 2;
      const column = { delta, u, q, p, gradient };
      for (let k = 0; k < K; k++) {
        for (const name in column) this.write(`${name}-${k}`, fixed(column[name][k], digits));
        this.write(`z-${k}`, short(logits[k]));
        this.fill(`logit-${k}`, logits[k]);
        const bars = {
          delta: [delta[k]],
          u: [u[k]],
          q: [(1 - smoothing) * delta[k], smoothing * u[k]],
        };
        for (const name in bars) {
          const drawn = this.part(`${name}-bars-${k}`).children;
          bars[name].forEach((high, n) => drawn[n].style.setProperty("--high", high));
        }
        const [bar, gap, mark] = this.part(`p-bars-${k}`).children;
        bar.style.setProperty("--high", p[k]);
        gap.style.setProperty("--from", Math.min(p[k], q[k]));
        gap.style.setProperty("--high", Math.abs(gradient[k]));
        mark.style.setProperty("--from", q[k]);
      }
      for (const pill of this.querySelectorAll('[data-set="target"]')) {
        pill.checked = Number(pill.value) === target;
      }
      this.fill("smoothing", smoothing);
      this.write("smoothing", short(smoothing));
      this.write("hard-weight", short(1 - smoothing));
      this.write("soft-weight", short(smoothing));
      for (const name of ["hard", "soft", "loss", "floor"]) {
        this.write(name, fixed(this.values[name]));
      }
      const most = Math.max(HIGH, loss);
      const line = this.part("line");
      const [first, second, mark] = line.children;
      first.style.width = fraction((1 - smoothing) * hard, most);
      second.style.width = fraction(smoothing * soft, most);
      mark.style.left = fraction(floor, most);
      const parts = [loss, (1 - smoothing) * hard, smoothing * soft, floor];
      line.setAttribute("aria-label", Mix.text.bar(...parts.map((part) => fixed(part))));
    }

    input({ dataset, value }, { logits }) {
      const [field, k] = dataset.set.split("-");
      if (field === "logit") return { logits: logits.with(Number(k), Number(value)) };
      if (field === "classes") {
        const z = Array.from({ length: Number(value) }, (_, n) => logits[n] ?? 0);
        return { logits: z };
      }
      return { [field]: Number(value) };
    }

    summary() {
      const { loss, floor } = this.values;
      return Mix.text.summary(fixed(loss), fixed(floor));
    }

    get snippet() {
      const { smoothing, target, logits } = this.state;
      return `import torch
import torch.nn.functional as F

logits = torch.tensor([${logits.join(", ")}], dtype=torch.float64)
target = torch.tensor(${target})
loss = F.cross_entropy(logits, target, label_smoothing=${smoothing})
print(f"{loss:.4f}")
`;
    }
  }
  define("explore-mix", Mix);
}
