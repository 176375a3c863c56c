/** The recordings: recognised in the background, listed in an order, opened and removed. */

import { ask } from "./ask.js";
import { announce, find } from "./dom.js";
import { isExport } from "./import.js";
import { Jobs } from "./jobs.js";
import { List } from "./list.js";
import { jobKey } from "./store.js";
import { summary } from "./summary.js";
import { ordered, progress } from "./triage.js";
import { t } from "./i18n.js";

export class Collection {
  models = []; // that the server has
  /** @type {import("./workbench.js").Workbench | null} */
  workbench = null;

  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this.store = store;
    this.jobs = new Jobs(store, (...change) => this.jobChanged(...change));
    this.list = new List({
      open: (recording) => this.open(recording),
      remove: (recording) => this.remove(recording),
      retry: (recording) => this.retry(recording),
    });
    this.counts = new Map(); // {done, all} labelled parts by recording
  }

  get current() {
    return this.workbench.current;
  }

  get modelNames() {
    const { model, compare } = this.store.settings;
    return [...new Set([model, compare])].filter(Boolean);
  }

  job(recording, model) {
    return recording.jobs.get(jobKey(model, recording));
  }

  /** A model's predictions of a recording, as far as they are known; null until there are any. */
  result(recording, model) {
    return this.job(recording, model)?.result ?? null;
  }

  /** The selected models with their jobs for the current recording. */
  modelsWithJobs() {
    return this.modelNames
      .map((name) => this.models.find((model) => model.name === name))
      .filter(Boolean)
      .map((model) => ({ ...model, job: this.job(this.current, model.name) }));
  }

  /** Adds recordings and opens the first, unless one of several is open.
   * @param {Iterable<File>} files @returns {object[]} the recordings */
  add(files) {
    const added = this.store.add([...files].filter((file) => !isExport(file)));
    for (const recording of added) this.recognise(recording);
    this.show();
    if (added.length && (!this.current || added.length === 1)) this.open(added[0]);
    if (added.length) navigator.storage?.persist?.(); // so that a full disk does not empty it
    return added;
  }

  /** Submits a recording for the selected models, once the models are known. */
  recognise(recording) {
    if (!this.models.length) return;
    const { model, order } = this.store.settings;
    const compared = order === "disagreement" || recording === this.current;
    for (const name of compared ? this.modelNames : [model]) this.jobs.request(recording, name);
  }

  /** Recognises the current recording with other voices, as later ones from now on.
   * @param {Partial<import("./store.js").Voices>} voices */
  setVoices(voices) {
    this.store.set(voices);
    Object.assign(this.current, voices);
    this.store.save(this.current);
    this.recognise(this.current);
    this.update(this.current);
    this.workbench.showResults();
  }

  /** @param {{play?: boolean}} options  as of `Workbench.open` */
  open(recording, options) {
    document.body.dataset.view = document.body.dataset.screen = "recording";
    find("live-open").setAttribute("aria-pressed", "false");
    this.workbench.open(recording, options);
    this.recognise(recording);
    if (this.store.settings.unlabelled) this.show();
    this.list.markCurrent(recording);
    if (!document.activeElement.closest("#files, select, input")) find("table").focus();
    this.showSteps();
  }

  /** Removes a recording, after a question if it has labels. */
  async remove(recording) {
    const { name, annotations } = recording;
    const question = t("removeLabelled", { name, count: annotations.length });
    if (annotations.length && (await ask(question, { action: t("removeAction") })) === null) return;
    const index = this.list.shown.indexOf(recording);
    this.discard(recording);
    this.show();
    this.list.focus(index);
  }

  async removeAll() {
    const question = t("removeAllAsk", { count: this.store.recordings.length });
    if ((await ask(question, { action: t("removeAction") })) === null) return;
    for (const recording of this.store.recordings) this.discard(recording);
    this.show();
    find("choose").focus();
  }

  discard(recording) {
    for (const id of this.store.remove(recording)) this.jobs.delete(id);
    this.counts.delete(recording);
    if (this.current !== recording) return;
    this.workbench.close();
    document.body.dataset.view = "none";
    document.body.dataset.screen = "list";
  }

  /** Submits failed jobs again. @param {(job: object) => boolean} which */
  retry(recording, which = ({ status }) => status === "failed") {
    for (const job of [...recording.jobs.values()].filter(which)) this.jobs.retry(recording, job);
    this.update(recording);
  }

  /** Shows a new state of a job. @param {boolean} news  as of `Jobs` */
  jobChanged(recording, job, news) {
    if (recording.removed) return;
    const { model, order } = this.store.settings;
    if (job.status === "done" && !recording.duration) {
      recording.duration = job.result.at(-1).file_duration ?? 0;
      this.store.save(recording);
    }
    if (job.code === 401) find("token").hidden = false;
    if (!this.modelNames.includes(job.model) || this.job(recording, job.model) !== job) return;
    if (job.model === model) this.update(recording);
    else if (job.status === "failed") announce(job.error);
    if (job.status === "done" && order !== "added") this.show();
    if (recording !== this.current) return;
    if (job.status === "done") announce(t("done", { name: recording.name, label: summary(job) }));
    if (news) this.workbench.showResults();
    else this.workbench.showSummaries();
  }

  /** Shows the state of a recording in the list, and how many parts are labelled. */
  update(recording) {
    const { model } = this.store.settings;
    this.counts.set(recording, progress(recording, this.result(recording, model)));
    this.list.update(recording, this.job(recording, model), this.counts.get(recording));
    this.showProgress();
  }

  showProgress() {
    const counts = [...this.counts.values()];
    const sum = (name) => counts.reduce((total, count) => total + count[name], 0);
    const text = t("progress", { done: sum("done"), all: sum("all") });
    find("progress").textContent = counts.length ? text : "";
  }

  isOpen(recording) {
    const { done, all } = this.counts.get(recording) ?? { done: 0, all: 1 };
    return done < all;
  }

  inOrder(order = this.store.settings.order) {
    const { model, compare } = this.store.settings;
    return ordered(this.store.recordings, order, (recording) => this.result(recording, model),
      (recording) => this.result(recording, compare));
  }

  /** The recording before or after one, of those that the list shows. */
  neighbour(recording, step) {
    const all = this.inOrder();
    const wanted = (other) => !this.store.settings.unlabelled || this.isOpen(other);
    for (let i = all.indexOf(recording) + step; i >= 0 && i < all.length; i += step) {
      if (wanted(all[i])) return all[i];
    }
    return undefined;
  }

  /** Opens the recording before or after the current one. */
  step(by) {
    const recording = this.current && this.neighbour(this.current, by);
    if (recording) this.open(recording, { play: true });
  }

  /** Opens the recording without labels about which the model is most in doubt. */
  openDoubtful() {
    const first = this.inOrder("doubt").find((recording) => this.isOpen(recording));
    if (first) this.open(first, { play: true });
  }

  /** Shows the list anew. */
  show() {
    const { recordings, settings } = this.store;
    for (const recording of recordings) this.update(recording);
    this.list.show(this.inOrder().filter((recording) =>
      !settings.unlabelled || this.isOpen(recording) || recording === this.current));
    if (this.current) this.list.markCurrent(this.current);
    const { dataset } = document.body;
    if (!recordings.length && dataset.view !== "live") dataset.view = "empty";
    document.body.classList.toggle("any", recordings.length > 0);
    this.showProgress();
    this.showSteps();
  }

  showSteps() {
    for (const [id, by] of [["previous", -1], ["next", 1]]) {
      find(id).disabled = !this.current || !this.neighbour(this.current, by);
    }
  }
}
