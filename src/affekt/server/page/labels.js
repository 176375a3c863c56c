/** Labels of all recordings: their classes, undo, export and import. */

import * as api from "./api.js";
import { ask } from "./ask.js";
import { announce, find } from "./dom.js";
import { countExamples, exported, hasLabels } from "./export.js";
import { importing, isExport, readExport, sameRecording } from "./import.js";
import { validClass } from "./labelbar.js";
import { t } from "./i18n.js";

export class Labels {
  /** @param {import("./store.js").Store} store
   * @param {import("./collection.js").Collection} collection
   * @param {import("./workbench.js").Workbench} workbench */
  constructor(store, collection, workbench) {
    Object.assign(this, { store, collection, workbench });
  }

  /** Shows the classes to choose from: the model's, the user's own, and others that labels have. */
  showClasses() {
    const { settings, recordings } = this.store;
    const model = this.collection.models.find(({ name }) => name === settings.model);
    const used = recordings.flatMap(({ annotations }) => annotations.map(({ label }) => label));
    const all = [...(model?.labels ?? []), ...settings.classes, ...used.filter(Boolean)];
    this.workbench.bar.show([...new Set(all)]);
    if (this.workbench.current) this.workbench.showSelection();
  }

  async addClass() {
    const options = { input: t("className"), action: t("addAction") };
    const answer = await ask(t("addClassText"), options);
    if (answer === null) return;
    const name = validClass(answer, this.workbench.bar.labels);
    if (!name) return void announce(t("invalidClass"));
    this.store.set({ classes: [...this.store.settings.classes, name] });
    this.showClasses();
  }

  /** @param {"undo" | "redo"} direction */
  undo(direction) {
    const undone = this.store[direction]();
    if (!undone) return;
    const { recording, change } = undone;
    if (recording !== this.workbench.current) this.collection.open(recording);
    this.workbench.selectSpan(change.added[0] ?? change.removed[0]);
    announce(t(direction === "undo" ? "undone" : "redone"));
  }

  /** Shows whether there is anything to export or undo. */
  showState() {
    const { recordings, history } = this.store;
    find("export").textContent = t("export", { count: countExamples(recordings) });
    find("export").disabled = !hasLabels(recordings);
    find("undo").disabled = !history.done.length;
  }

  async export() {
    const { recordings, settings } = this.store;
    const { blob, count, undecoded } = await exported(recordings, settings.classes);
    api.save(blob, "corrections.zip");
    const names = undecoded.join(", ");
    announce(names ? t("notExported", { names }) : t("exported", { count }));
  }

  /** Imports the exports among files. @param {Iterable<File>} files */
  async import(files) {
    for (const file of [...files].filter(isExport)) {
      try {
        this.bringIn(await readExport(file));
      } catch (error) {
        announce(error.message);
      }
    }
  }

  /** Adds labels to the recordings that are here; those of others wait until they are added. */
  bringIn({ classes, recordings }) {
    const all = new Set([...this.store.settings.classes, ...classes]);
    this.store.set({ classes: [...all] });
    const missing = recordings.filter((one) => {
      const here = this.store.recordings.find((recording) => sameRecording(one, recording));
      if (here) this.annotate(here, one);
      return !here;
    });
    for (const one of missing) this.store.pending[one.name] = one;
    this.store.savePending();
    this.showClasses();
    const count = recordings.length - missing.length;
    const names = missing.map(({ name }) => name).join(", ");
    announce(names ? t("importedLater", { count, names }) : t("imported", { count }));
  }

  /** Adds labels to a new recording that were imported before it. */
  bringPending(recording) {
    const one = this.store.pending[recording.name];
    if (!one || !sameRecording(one, recording)) return;
    delete this.store.pending[recording.name];
    this.store.savePending();
    this.annotate(recording, one);
    this.showClasses();
  }

  annotate(recording, { speaker, annotations }) {
    recording.speaker = speaker || recording.speaker;
    this.store.edit(recording, importing(recording.annotations, annotations));
    if (recording === this.workbench.current) this.workbench.showSpeaker();
  }
}
