/* Two conventions for ε: what each trains on, and the ε to write in the second. */
"use strict";
{
  const { Explorer, define, fixed, fraction, isNumber, math, rich, short, stepped } = explorers;
  const CLASSES = [2, 100000];
  const MOST = 0.99;
  const MANY = 50; // classes: their shares are too thin to be drawn apart

  const others = {
    other: (e, K) => e / (K - 1),
    epsilon: (other, K) => other * (K - 1),
    code: ["epsilon / (K - 1)", "other * (K - 1)"],
    formula: "ε/(K−1)",
  };
  /* What each class but the true one gets, the ε that gives it that, and both in Python. */
  const CONVENTIONS = {
    uniform: {
      other: (e, K) => e / K,
      epsilon: (other, K) => other * K,
      code: ["epsilon / K", "other * K"],
      formula: "ε/K",
    },
    others,
    // Its formula counts the padding; what is computed here has a K without.
    "others-without-padding": { ...others, formula: "ε/(K−2)" },
    normalised: {
      other: (e, K) => e / (1 + e) / K,
      epsilon: (other, K) => (other * K) / (1 - other * K),
      code: ["epsilon / (1 + epsilon) / K", "other * K / (1 - other * K)"],
      formula: "ε/(1+ε)/K",
    },
    half: {
      other: (e) => e / 2,
      epsilon: (other) => other * 2,
      code: ["epsilon / 2", "other * 2"],
      formula: "ε/2",
    },
    swap: {
      other: (e) => e,
      epsilon: (other) => other,
      code: ["epsilon", "other"],
      formula: "ε",
    },
  };
  const BINARY = ["half", "swap"];
  const PADDED = "others-without-padding";
  const ROWS = ["first", "second", "converted"];

  class Conventions extends Explorer {
    static text = {
      title: "Explorer: which ε to write in another convention",
      first: "from",
      second: "to",
      smoothing: "Smoothing",
      classes: "Classes",
      option: (name, formula) => `${name}: ${formula}`,
      binary: " for two classes",
      write: "In {name}, write",
      none: "In {name} it would take",
      because: "There is no such {epsilon}: it lies between zero and one.",
      row: { first: "", second: "the same {epsilon}", converted: "the same target" },
      caption:
        "<strong>A bar is a target: the share of the true class, then the shares of all others.</strong>",
      same: "The last one has the shares of the first.",
      padding:
        "{K} counts the padding, which gets nothing. The other convention stands on the classes without it.",
      summary: (name, epsilon) => `In ${name}, write ${epsilon}.`,
      failure: (name, epsilon) => `In ${name} it would take ${epsilon}: there is no such ε.`,
    };

    initial = { first: "others", second: "uniform", smoothing: 0.1, classes: 10 };

    accept({ first, second, smoothing, classes }) {
      const { initial } = this;
      const names = [first, second].map((name, n) =>
        Object.hasOwn(CONVENTIONS, name) ? name : [initial.first, initial.second][n],
      );
      const padded = names.includes(PADDED);
      const least = 2 + padded;
      const K = Number.isInteger(classes) && isNumber(classes, ...CLASSES) ? classes : initial.classes;
      return {
        first: names[0],
        second: names[1],
        smoothing: isNumber(smoothing, 0, MOST) ? stepped(smoothing, 2) : initial.smoothing,
        classes: names.some((name) => BINARY.includes(name)) ? least : Math.max(K, least),
      };
    }

    shape() {
      return "always the same";
    }

    template() {
      const { text } = Conventions;
      const choice = (name) => `
        <label><b class="way">${text[name]}</b> <select data-set="${name}">${Object.entries(CONVENTIONS)
          .map(([value, { formula }]) => {
            const classes = BINARY.includes(value) ? text.binary : "";
            return `<option value="${value}">${text.option(value, formula)}${classes}</option>`;
          })
          .join("")}</select></label>`;
      const target = (name) => `
        <div class="target">
          <p><code data-part="${name}-name"></code> ${math("{epsilon}")} =
            <b data-part="${name}-epsilon"></b>
            <span class="aside">${rich(text.row[name])}</span>
            <span class="shares">${math("{q}({y})")} = <b class="q" data-part="${name}-true"></b>,
              ${math("{q}(<mi>k</mi>)")} = <b class="q" data-part="${name}-other"></b></span></p>
          <div class="line" aria-hidden="true" data-part="${name}-line"><i></i><i class="others"></i></div>
        </div>`;
      return `
        <div class="controls">${choice("first")}${choice("second")}</div>
        <div class="controls">
          <label class="epsilon">${math("{epsilon}")} <span>${text.smoothing}</span>
            <input type="range" min="0" max="${MOST}" step="0.01" data-set="smoothing">
            <b data-part="smoothing" aria-hidden="true"></b></label>
          <label>${math("{K}")} <span>${text.classes}</span>
            <input type="number" min="${CLASSES[0]}" max="${CLASSES[1]}" data-set="classes"></label>
        </div>
        <p class="answer"><span data-part="lead"></span>
          <span class="term">${math("{epsilon}")} = <strong class="q" data-part="epsilon"></strong></span>
          <span data-part="because">${rich(text.because)}</span></p>
        ${ROWS.map(target).join("")}
        <p class="note" data-part="padding" hidden>${rich(text.padding)}</p>
        <p class="explorer-caption">${rich(text.caption)}
          <span data-part="same">${text.same}</span></p>`;
    }

    update({ first, second, smoothing, classes }) {
      const padded = [first, second].includes(PADDED);
      const K = classes - padded;
      const target = (name, e) => {
        const other = CONVENTIONS[name].other(e, K);
        return { true: 1 - (K - 1) * other, other };
      };
      const from = target(first, smoothing);
      const epsilon = CONVENTIONS[second].epsilon(from.other, K);
      // Below one by more than a rounding: 0.5/K · K is not 0.5 for every K.
      const exists = isNumber(epsilon, 0, 1 - 1e-12);
      this.values = {
        first: from,
        second: target(second, smoothing),
        converted: exists ? target(second, epsilon) : null,
        epsilon,
      };

      const digits = 3 + String(K - 1).length;
      const epsilons = { first: short(smoothing), second: short(smoothing), converted: fixed(epsilon, digits) };
      for (const row of ROWS) {
        const shares = this.values[row];
        this.part(`${row}-line`).closest(".target").hidden = !shares;
        this.part(`${row}-name`).textContent = row === "first" ? first : second;
        this.write(`${row}-epsilon`, epsilons[row]);
        this.write(`${row}-true`, shares ? fixed(shares.true, digits) : "");
        this.write(`${row}-other`, shares ? fixed(shares.other, digits) : "");
        if (!shares) continue;
        const { style } = this.part(`${row}-line`);
        style.setProperty("--true", fraction(Math.max(shares.true, 0), 1));
        style.setProperty("--parts", K <= MANY ? K - 1 : 1);
      }
      for (const name of ["first", "second", "smoothing"]) {
        this.querySelector(`[data-set="${name}"]`).value = this.state[name];
      }
      this.fill("classes", classes).disabled = BINARY.includes(first) || BINARY.includes(second);
      this.write("smoothing", short(smoothing));
      const lead = exists ? Conventions.text.write : Conventions.text.none;
      this.part("lead").innerHTML = lead.replace("{name}", `<code>${second}</code>`);
      this.write("epsilon", fixed(epsilon, digits));
      this.part("because").hidden = exists;
      this.part("same").hidden = !exists;
      this.part("padding").hidden = !padded;
    }

    input({ dataset, value }, state) {
      const { set } = dataset;
      if (set === "smoothing") return { smoothing: Number(value) };
      if (set !== "classes") return { [set]: value };
      const K = Number(value);
      return { classes: Number.isInteger(K) && isNumber(K, ...CLASSES) ? K : state.classes };
    }

    summary() {
      const { summary, failure } = Conventions.text;
      const say = this.values.converted ? summary : failure;
      return say(this.state.second, this.part("epsilon").textContent);
    }

    get snippet() {
      const { first, second, smoothing, classes } = this.state;
      const padded = [first, second].includes(PADDED);
      const K = classes - padded;
      const digits = 3 + String(K - 1).length;
      return `import torch

K = ${K}${padded ? "  # without the padding" : ""}
epsilon = torch.tensor(${smoothing}, dtype=torch.float64)
other = ${CONVENTIONS[first].code[0]}  # the target of a class, in ${first}
print(f"{${CONVENTIONS[second].code[1]}:.${digits}f}")  # the epsilon of ${second}
`;
    }
  }
  define("explore-conventions", Conventions);
}
