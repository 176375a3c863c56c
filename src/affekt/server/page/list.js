/** The list of recordings: state, result or error of each. */

import { find, make, rove, said } from "./dom.js";
import { summary } from "./summary.js";
import { t } from "./words.js";

export class List {
  /** @param {{open: Function, remove: Function, retry: Function}} told  each with the entry */
  constructor(told) {
    this.told = told;
    this.rows = new Map();
    find("files").addEventListener("keydown", (event) => this.key(event));
  }

  add(entry) {
    const button = make("button", { type: "button", className: "open", tabIndex: -1 });
    const name = make("span", { className: "name", textContent: entry.name });
    const state = make("span", { className: "state" });
    button.append(name, state);
    button.onclick = () => this.told.open(entry);
    button.onfocus = () => this.only(button);
    const remove = make("button", {
      type: "button",
      className: "remove",
      textContent: "×",
      "aria-label": t("remove", { name: entry.name }),
    });
    remove.onclick = () => this.remove(entry);
    const bar = make("progress", { max: 1, hidden: true, "aria-hidden": "true" });
    const error = make("div", { className: "error", role: "alert" });
    const row = make("li", {}, make("div", { className: "row" }, button, remove), bar, error);
    this.rows.set(entry, { row, button, state, bar, error, shown: "" });
    find("files").append(row);
    find("files-keys").hidden = false;
    if (this.rows.size === 1) this.only(button);
  }

  /** Shows how a recording stands with a model. */
  update(entry, model) {
    const row = this.rows.get(entry);
    if (!row) return;
    const job = entry.jobs.get(model);
    row.state.textContent = summary(job);
    row.bar.hidden = !["queued", "running", "sending"].includes(job?.status);
    if (job?.status === "running") row.bar.value = job.progress;
    else row.bar.removeAttribute("value");
    const message = job?.error ?? "";
    if (message === row.shown) return; // an alert is read out whenever it is written
    row.shown = message;
    row.error.replaceChildren();
    if (!message) return;
    const again = make("button", { type: "button", textContent: t("again") });
    again.onclick = () => this.told.retry(entry);
    row.error.append(said("p", message), again);
  }

  mark(entry) {
    for (const [other, { button }] of this.rows) {
      button.setAttribute("aria-current", String(other === entry));
    }
  }

  remove(entry) {
    const buttons = this.buttons;
    const here = buttons.indexOf(this.rows.get(entry).button);
    this.rows.get(entry).row.remove();
    this.rows.delete(entry);
    this.told.remove(entry);
    (buttons[here + 1] ?? buttons[here - 1] ?? find("choose")).focus();
  }

  get buttons() {
    return [...this.rows.values()].map(({ button }) => button);
  }

  only(button) {
    for (const other of this.buttons) other.tabIndex = other === button ? 0 : -1;
  }

  key(event) {
    if (rove(event, this.buttons) || event.key !== "Delete") return;
    const found = [...this.rows].find(([, { button }]) => button === event.target);
    if (found) this.remove(found[0]);
  }
}
