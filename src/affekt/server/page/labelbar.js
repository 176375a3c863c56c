/** The row of buttons that label the selected part. */

import { colour } from "./colours.js";
import { find, make } from "./dom.js";
import { emotion, t } from "./i18n.js";

const LONGEST = 40; // characters of a class name
const FORMULA = /^[=+\-@]/; // a cell that begins so is a formula to a spreadsheet

/** A class name as it may be used, or "" if it may not. */
export function validClass(name, known) {
  const text = name.replace(/[\p{C}\s]+/gu, " ").trim();
  const refused = !text || text.length > LONGEST || FORMULA.test(text) || known.includes(text);
  return refused ? "" : text;
}

export class LabelBar {
  /** @param {{label: (label: string) => void, mark: (mark: string) => void,
   *   addClass: () => void, clear: () => void}} actions */
  constructor(actions) {
    this.actions = actions;
    this.labels = [];
    this.buttons = [];
    // A click leaves the focus where it is, so that the next key goes to the table.
    const keepFocus = (event) => event.target.closest("button") && event.preventDefault();
    find("classes").onmousedown = keepFocus;
    document.querySelector(".tools").addEventListener("mousedown", keepFocus);
  }

  /** @param {string[]} labels */
  show(labels) {
    this.labels = labels;
    this.buttons = labels.map((label, i) => {
      const swatch = make("i", { className: "swatch" });
      swatch.style.backgroundColor = colour(label);
      return this.button(label, i < 9 ? String(i + 1) : "", [swatch, emotion(label)], () =>
        this.actions.label(label));
    });
    const marks = [["unsure", "U"], ["unusable", "X"]].map(([mark, key]) =>
      this.button(mark, key, [t(mark)], () => this.actions.mark(mark)));
    const more = make("button", {
      type: "button", className: "more", textContent: "+", title: t("addClass"),
      "aria-label": t("addClass"), onclick: () => this.actions.addClass(),
    });
    this.buttons.push(...marks);
    find("classes").replaceChildren(...this.buttons, more);
  }

  button(value, key, content, onclick) {
    const hint = make("kbd", { textContent: key, "aria-hidden": "true" });
    const node = make("button", { type: "button", onclick }, ...(key ? [hint] : []), ...content);
    node.dataset.value = value;
    return node;
  }

  /** Marks the label of the selected part. @param {object | undefined} annotation
   * @param {object | undefined} row */
  mark(annotation, row) {
    const chosen = annotation?.mark || annotation?.label || "";
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.value === chosen));
      button.classList.toggle("recognised", button.dataset.value === row?.label);
      button.disabled = !row;
    }
    const comment = find("comment");
    if (document.activeElement !== comment) comment.value = annotation?.comment ?? "";
    comment.disabled = !row;
  }
}
