/** The probabilities at the cursor. */

import { colour } from "./colours.js";
import { find, make } from "./dom.js";
import { emotion, percent, t } from "./i18n.js";
import { isUncertain, spanAt, topProbability, UNCERTAIN } from "./timeline.js";

export class Now {
  /** @param {HTMLElement} box */
  constructor(box = find("now")) {
    this.box = box;
    this.models = [];
  }

  /** @param {{name: string, spans: object[], labels: string[], until?: number}[]} models  until: as
   *   of `drawLane` */
  show(models) {
    this.models = models.map((model) => {
      const pause = make("p", { className: "hint", textContent: t("noSpeech") });
      const rows = model.labels.map((label) => row(label));
      const list = make("ul", {}, ...rows.map(({ item }) => item));
      const title = make("h4", { textContent: model.name });
      const box = make("div", { className: "now" }, title, list, pause);
      return { ...model, box, list, rows, pause };
    });
    this.box.replaceChildren(...this.models.map(({ box }) => box));
  }

  /** Updates the probabilities. @returns {string} the same as text, for the slider */
  at(time) {
    const texts = this.models.map((model) => {
      const why = t(time > model.until ? "notRecognised" : "noSpeech");
      return this.update(model, spanAt(model.spans, time), why);
    });
    return texts.join("; ");
  }

  update({ name, list, rows, pause }, span, why = t("noSpeech")) {
    list.hidden = !span;
    pause.hidden = Boolean(span);
    if (!span) return (pause.textContent = why);
    const { probabilities, label: predicted } = span.segment;
    list.classList.toggle("grey", isUncertain(span));
    for (const { label, item, bar, value } of rows) {
      const share = probabilities[label] ?? 0;
      bar.style.width = `${100 * share}%`;
      value.textContent = percent(share);
      item.classList.toggle("first", label === predicted);
    }
    const predictedText = `${emotion(predicted)} ${percent(topProbability(span.segment))}`;
    const text = isUncertain(span) ? emotion(UNCERTAIN) : predictedText;
    return this.models.length > 1 ? `${name}: ${text}` : text;
  }
}

function row(label) {
  const bar = make("span", { className: "bar" });
  bar.style.backgroundColor = colour(label);
  const value = make("span", { className: "value" });
  const name = make("span", { className: "of", textContent: emotion(label) });
  const track = make("span", { className: "track", "aria-hidden": "true" }, bar);
  return { label, bar, value, item: make("li", {}, name, track, value) };
}
