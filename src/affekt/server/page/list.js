/** The list of recordings with the state, result or error of each. */

import { englishText, find, make, moveFocus } from "./dom.js";
import { summary } from "./summary.js";
import { t } from "./i18n.js";

export class List {
  /** @param {{open: Function, remove: Function, retry: Function}} actions  called with the entry */
  constructor(actions) {
    this.actions = actions;
    this.rows = new Map();
    find("files").addEventListener("keydown", (event) => this.key(event));
  }

  add(entry) {
    const button = make("button", { type: "button", className: "open", tabIndex: -1 });
    const name = make("span", { className: "name", textContent: entry.name });
    const state = make("span", { className: "state" });
    button.append(name, state);
    button.onclick = () => this.actions.open(entry);
    button.onfocus = () => this.makeTabStop(button);
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
    if (this.rows.size === 1) this.makeTabStop(button);
  }

  /** Shows the state of a recording under a model. */
  update(entry, model) {
    const row = this.rows.get(entry);
    if (!row) return;
    const job = entry.jobs.get(model);
    row.state.textContent = summary(job);
    row.bar.hidden = !["queued", "running", "sending"].includes(job?.status);
    if (job?.status === "running") row.bar.value = job.progress;
    else row.bar.removeAttribute("value");
    const message = job?.error ?? "";
    if (message === row.shown) return; // screen readers announce an alert at every write
    row.shown = message;
    row.error.replaceChildren();
    if (!message) return;
    const again = make("button", { type: "button", textContent: t("retry") });
    again.onclick = () => this.actions.retry(entry);
    row.error.append(englishText("p", message), again);
  }

  markCurrent(entry) {
    for (const [other, { button }] of this.rows) {
      button.setAttribute("aria-current", String(other === entry));
    }
  }

  remove(entry) {
    const buttons = this.buttons;
    const index = buttons.indexOf(this.rows.get(entry).button);
    this.rows.get(entry).row.remove();
    this.rows.delete(entry);
    this.actions.remove(entry);
    (buttons[index + 1] ?? buttons[index - 1] ?? find("choose")).focus();
  }

  get buttons() {
    return [...this.rows.values()].map(({ button }) => button);
  }

  makeTabStop(button) {
    for (const other of this.buttons) other.tabIndex = other === button ? 0 : -1;
  }

  key(event) {
    if (moveFocus(event, this.buttons) || event.key !== "Delete") return;
    const row = [...this.rows].find(([, { button }]) => button === event.target);
    if (row) this.remove(row[0]);
  }
}
