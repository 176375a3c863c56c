/** "Adapt": the labels become a new model of the server, with its scores before and after. */

import * as api from "./api.js";
import { announce, englishText, find, make } from "./dom.js";
import { exported, material, separateExamples } from "./export.js";
import { emotion, noticeText, percent, t } from "./i18n.js";

const POLL = 1000; // ms
const NAME = "[A-Za-z0-9][A-Za-z0-9_\\-]{0,39}"; // as in parameters.py

const paragraph = (textContent, properties = {}) => make("p", { textContent, ...properties });
const points = (share) => `${share < 0 ? "−" : "+"}${Math.abs(Math.round(100 * share))}`;

export class Adapt {
  /** @typedef {{id: string, name: string, model: string, status: string, error: string,
   *   result: object | null}} Adaptation  as of the server
   * @type {Adaptation | null} */
  state = null;

  /** @param {import("./store.js").Store} store
   * @param {import("./collection.js").Collection} collection
   * @param {{reload: () => Promise<void>, select: (model: string) => void}} models  reload: asks
   *   the server for its models; select: recognises with one of them */
  constructor(store, collection, models) {
    Object.assign(this, { store, collection, models });
    this.dialog = find("adapt");
    find("adapt-open").onclick = () => this.open();
  }

  /** Goes on with the adaptation of an earlier visit. */
  resume() {
    const { adaptation: id } = this.store.settings;
    if (id) this.follow({ id, status: "queued" });
  }

  async open() {
    this.show(paragraph(t("connecting")));
    this.dialog.showModal();
    if (this.state) return this.showState();
    try {
      await api.adaptations();
      this.showForm();
    } catch (error) {
      this.showRefusal(error);
    }
  }

  /** Shows a content below the title. */
  show(...content) {
    const close = make("button", { type: "button", textContent: t("close") });
    close.onclick = () => this.dialog.close();
    const title = make("h2", { id: "adapt-title", textContent: t("adaptTitle") });
    this.dialog.replaceChildren(make("header", {}, title, close), ...content);
    if (this.dialog.open) close.focus(); // what had the focus is gone
  }

  /** Shows why the server does not adapt models. */
  showRefusal({ status, message }) {
    if (status !== 404) return this.show(englishText("p", message, { className: "error" }));
    const command = make("code", { textContent: "affekt serve --adapt my-models" });
    return this.show(paragraph(t("adaptOff")), make("p", {}, command), paragraph(t("adaptExport")));
  }

  /** Shows what there is to adapt to, and asks for a name if it is enough. */
  showForm(problem = "") {
    this.state = null;
    const { counts, speakers } = material(this.store.recordings);
    const found = [...counts].map(([label, count]) => `${emotion(label)} ${count}`).join(", ");
    const enough = counts.size > 1 && Math.min(...counts.values()) > 1;
    if (!enough) {
      this.show(paragraph(t("adaptMissing")), paragraph(t("adaptFound", { found: found || "0" })));
      return;
    }
    const { model } = this.store.settings;
    const name = make("input", {
      value: this.freeName(model), pattern: NAME, required: true, autocomplete: "off",
      title: t("adaptName"),
    });
    const send = make("button", { textContent: t("adaptAction") });
    const form = make("form", {}, make("label", {}, t("adaptNew"), " ", name),
      make("p", { className: "answers" }, send));
    form.onsubmit = (event) => {
      event.preventDefault();
      this.send(model, name.value);
    };
    this.show(
      paragraph(t("adaptText", { model })),
      paragraph(t("adaptFound", { found })),
      paragraph(t("adaptSpeakers", { count: speakers.size })),
      form,
      englishText("p", problem, { className: "error", role: "alert" }),
    );
  }

  /** A name for a model that is adapted from another, with a number if there are several. */
  freeName(model) {
    const taken = new Set(this.collection.models.map(({ name }) => name));
    const wanted = `${model.replace(/-adapted(-\d+)?$/, "").slice(0, 28)}-adapted`;
    let name = wanted;
    for (let number = 2; taken.has(name); number += 1) name = `${wanted}-${number}`;
    return name;
  }

  /** Exports the labels to the server, which adapts the model. */
  async send(model, name) {
    const { recordings } = this.store;
    this.show(paragraph(t("adaptSending"), { role: "status" }));
    let state;
    try {
      const { blob } = await exported(recordings, [], separateExamples);
      state = await api.adapt(blob, { model, name });
    } catch (error) {
      return this.showForm(error.message);
    }
    this.store.set({ adaptation: state.id });
    return this.follow(state);
  }

  async follow(state) {
    const isCurrent = () => this.state?.id === state.id; // until it is cancelled
    for (this.update(state); isCurrent() && !["done", "failed"].includes(this.state.status);) {
      await new Promise((resolve) => setTimeout(resolve, POLL));
      if (!isCurrent()) return;
      try {
        const news = await api.adaptation(state.id);
        if (isCurrent()) this.update(news);
      } catch (error) {
        const failed = { ...this.state, status: "failed", error: error.message };
        if (error.status !== 0 && isCurrent()) this.update(failed);
      }
    }
    if (!isCurrent()) return;
    this.store.set({ adaptation: "" });
    if (this.state.status === "done") await this.models.reload();
    this.showState();
    announce(t(this.state.status === "done" ? "adaptDone" : "adaptFailed", this.state));
  }

  /** Cancels the adaptation that runs. */
  async cancel() {
    const { state } = this;
    if (!state) return undefined; // pressed twice
    this.state = null; // followed no longer
    try {
      await api.cancelAdaptation(state.id);
    } catch (error) {
      announce(error.message);
      return this.follow(state);
    }
    this.store.set({ adaptation: "" });
    this.showForm();
    return announce(t("adaptCancelled"));
  }

  update(state) {
    const known = this.state?.status === state.status;
    this.state = state;
    if (!known) this.showState();
  }

  showState() {
    const { status, error } = this.state;
    if (status === "done") return this.showResult(this.state);
    if (status === "failed") {
      const again = make("button", { type: "button", textContent: t("retry") });
      again.onclick = () => this.showForm();
      return this.show(englishText("p", error, { className: "error" }), make("p", {}, again));
    }
    const bar = make("progress", { "aria-label": t("adaptTitle") });
    const cancel = make("button", { type: "button", textContent: t("adaptCancel") });
    cancel.onclick = () => this.cancel();
    return this.show(make("p", {}, bar), paragraph(t("adaptRunning"), { role: "status" }),
      make("p", { className: "answers" }, cancel));
  }

  /** Shows the scores before and after, and what they are worth. */
  showResult({ name, model, result }) {
    const { before_UAR: before, after_UAR: after, gain95: [low, high], held_out: heldOut } = result;
    const scores = make("table", {},
      make("caption", { textContent: t(`adaptScores-${heldOut}`) }),
      score(t("adaptBefore", { model }), before),
      score(t("adaptAfter", { name }), after));
    const use = make("button", { type: "button", textContent: t("adaptUse", { name }) });
    use.onclick = () => {
      this.dialog.close();
      this.models.select(name);
    };
    const again = make("button", { type: "button", textContent: t("adaptAgain") });
    again.onclick = () => this.showForm();
    this.show(
      paragraph(t("adaptDone", { name })),
      scores,
      paragraph(t("adaptGain", { low: points(low), high: points(high) })),
      ...result.notes.map((note) => englishText("p", noticeText(note), { className: "warning" })),
      make("p", { className: "answers" }, again, use),
    );
  }
}

const score = (name, value) =>
  make("tr", {}, make("th", { scope: "row", textContent: name }),
    make("td", { textContent: percent(value) }));
