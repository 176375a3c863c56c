/** The list of recordings with the result, progress or error of each. */

import { englishText, find, make, moveFocus } from "./dom.js";
import { summary } from "./summary.js";
import { UNCERTAIN } from "./timeline.js";
import { t } from "./i18n.js";

export class List {
  /** @param {{open: Function, remove: Function, retry: Function}} actions  called with the
   *   recording */
  constructor(actions) {
    this.actions = actions;
    this.rows = new Map();
    this.shown = [];
    find("files").addEventListener("keydown", (event) => this.key(event));
  }

  /** Shows recordings in an order; their rows stay the same elements. */
  show(recordings) {
    const wanted = recordings.map((recording) => this.row(recording).row);
    const known = new Set(recordings);
    const same = recordings.length === this.shown.length &&
      recordings.every((recording, i) => recording === this.shown[i]);
    this.shown = recordings;
    if (!same) find("files").replaceChildren(...wanted);
    for (const recording of this.rows.keys()) {
      if (recording.removed && !known.has(recording)) this.rows.delete(recording);
    }
    const { buttons } = this;
    if (!buttons.some(({ tabIndex }) => tabIndex === 0)) this.makeTabStop(buttons[0]);
  }

  row(recording) {
    if (!this.rows.has(recording)) this.rows.set(recording, this.make(recording));
    return this.rows.get(recording);
  }

  make(recording) {
    const name = make("span", { className: "name", textContent: recording.name });
    const state = make("span", { className: "state" });
    const tick = make("span", { className: "tick" });
    const button = make("button", { type: "button", className: "open", tabIndex: -1 });
    button.append(tick, make("span", { className: "texts" }, name, state));
    button.onclick = () => this.actions.open(recording);
    button.onfocus = () => this.makeTabStop(button);
    const remove = make("button", {
      type: "button", className: "remove", textContent: "×", tabIndex: -1,
      "aria-label": t("remove", { name: recording.name }),
      onclick: () => this.actions.remove(recording),
    });
    const bar = make("progress", { max: 1, hidden: true, "aria-hidden": "true" });
    const error = make("div", { className: "error", role: "alert" });
    const row = make("li", {}, make("div", { className: "file" }, button, remove), bar, error);
    return { row, button, remove, state, tick, bar, error, shown: "" };
  }

  /** Shows the state of a recording. @param {import("./jobs.js").Job | undefined} job
   * @param {{done: number, all: number}} progress  labelled parts */
  update(recording, job, { done, all }) {
    const row = this.row(recording);
    const complete = done === all && job?.status !== "running";
    row.tick.textContent = complete ? "✓" : all > 1 && done ? `${done}/${all}` : "";
    row.state.textContent = summary(job);
    const labels = new Set((job?.result ?? []).map(({ label }) => label));
    row.state.classList.toggle("grey", labels.size === 1 && labels.has(UNCERTAIN));
    row.bar.hidden = !["queued", "running", "sending"].includes(job?.status);
    if (job?.status === "running") row.bar.value = job.progress;
    else row.bar.removeAttribute("value");
    this.showError(recording, row, job?.error ?? "");
  }

  showError(recording, row, message) {
    if (message === row.shown) return; // screen readers announce an alert at every write
    row.shown = message;
    row.error.replaceChildren();
    if (!message) return;
    const again = make("button", { type: "button", textContent: t("retry") });
    again.onclick = () => this.actions.retry(recording);
    row.error.append(englishText("p", message), again);
  }

  markCurrent(recording) {
    for (const [other, { button, row }] of this.rows) {
      const current = other === recording;
      button.setAttribute("aria-current", String(current));
      if (!current) continue;
      this.makeTabStop(button);
      row.scrollIntoView({ block: "nearest" });
    }
  }

  /** Focuses the row at an index, after another was removed. */
  focus(index) {
    (this.buttons[index] ?? this.buttons[index - 1] ?? find("choose")).focus();
  }

  get buttons() {
    return this.shown.map((recording) => this.rows.get(recording).button);
  }

  makeTabStop(button) {
    for (const row of this.rows.values()) {
      const stop = row.button === button;
      row.button.tabIndex = row.remove.tabIndex = stop ? 0 : -1;
    }
  }

  key(event) {
    if (moveFocus(event, this.buttons)) return event.stopPropagation();
    if (event.key !== "Delete") return undefined;
    const index = this.buttons.indexOf(event.target);
    if (index >= 0) this.actions.remove(this.shown[index]);
    return undefined;
  }
}
