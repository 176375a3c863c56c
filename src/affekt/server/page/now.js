/** The probabilities at the cursor. */

import { colour } from "./colours.js";
import { find, make } from "./dom.js";
import { at, doubtful, top, UNCERTAIN } from "./moments.js";
import { emotion, percent, t } from "./words.js";

export class Now {
  /** @param {{name: string, moments: object[], labels: string[]}[]} models */
  show(models) {
    this.models = models.map((model) => {
      const nothing = make("p", { className: "hint", textContent: t("silence") });
      const list = make("ul", {});
      const rows = model.labels.map((label) => row(label));
      list.append(...rows.map(({ item }) => item));
      const title = make("h4", { textContent: model.name });
      const box = make("div", { className: "now" }, title, list, nothing);
      return { ...model, box, list, rows, nothing };
    });
    find("now").replaceChildren(...this.models.map(({ box }) => box));
  }

  /** @returns {string} the same in words, for the slider */
  at(time) {
    return this.models.map((model) => this.one(model, time)).join("; ");
  }

  one({ name, moments, list, rows, nothing }, time) {
    const moment = at(moments, time);
    list.hidden = !moment;
    nothing.hidden = Boolean(moment);
    if (!moment) return t("silence");
    const { probabilities, label: first } = moment.segment;
    for (const { label, item, bar, value } of rows) {
      const share = probabilities[label] ?? 0;
      bar.style.width = `${100 * share}%`;
      value.textContent = percent(share);
      item.classList.toggle("first", label === first);
    }
    const sure = `${emotion(first)} ${percent(top(moment.segment))}`;
    const words = doubtful(moment) ? emotion(UNCERTAIN) : sure;
    return this.models.length > 1 ? `${name}: ${words}` : words;
  }
}

function row(label) {
  const bar = make("span", { className: "bar" });
  bar.style.backgroundColor = colour(label);
  const value = make("span", { className: "value" });
  const name = make("span", { textContent: emotion(label) });
  const track = make("span", { className: "track", "aria-hidden": "true" }, bar);
  return { label, bar, value, item: make("li", {}, name, track, value) };
}
