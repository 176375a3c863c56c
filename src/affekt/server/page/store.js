/**
 * The state of the page: recordings with their audio, annotations and jobs, settings, and the
 * history of edits. Every change is written to the browser's storage at once.
 * @typedef {{id: string, name: string, bytes: number, position: number, speaker: string,
 *   duration: number, annotations: import("./annotations.js").Annotation[], blob: Blob,
 *   jobs: Map<string, import("./jobs.js").Job>, removed: boolean} & Voices} Recording  duration:
 *   seconds, 0 until it is known; jobs: by `jobKey`
 * @typedef {{speakers: string, channels: "mean" | "split"}} Voices  as of the API: the number of
 *   speakers or "auto", and whether each channel is recognised by itself
 * @typedef {{model: string, compare: string, speakers: string, channels: string, order: string,
 *   unlabelled: boolean, classes: string[], keys: boolean, current: string,
 *   rows: Object<string, string>, adaptation: string}} Settings  speakers, channels: those of the
 *   next recording; classes: the user's own; keys: whether single keys label; rows: the selected
 *   row by recording; adaptation: id of the one that has not ended
 */

import { apply, inverse } from "./annotations.js";

const HISTORY = 1000; // edits that can be undone
const SETTINGS = {
  model: "", compare: "", speakers: "1", channels: "mean", order: "added", unlabelled: false,
  classes: [], keys: true, current: "", rows: {}, adaptation: "",
};

/** Identifies a job of a recording. @param {string} model @param {Voices} voices */
export const jobKey = (model, { speakers, channels = "mean" }) =>
  [model, speakers, ...(channels === "mean" ? [] : [channels])].join("\n");

const newId = () => [...crypto.getRandomValues(new Uint8Array(12))]
  .map((byte) => byte.toString(16).padStart(2, "0")).join("");

export class Store {
  /** @type {Recording[]} */
  recordings = [];
  settings = { ...SETTINGS };
  history = { done: [], undone: [] };
  deletions = []; // ids of jobs that the server has still to delete
  pending = {}; // annotations from an export whose recordings are not here yet, by name
  writing = 0;
  problem = ""; // why the last write failed

  /** @param {(event: "saved" | "annotations", recording?: Recording) => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /** Reads what an earlier visit stored. @param {import("./database.js").Database} database */
  async load(database) {
    const [recordings, audio, jobs, session] = await Promise.all(
      ["recordings", "audio", "jobs", "session"].map((name) => database.entries(name)),
    );
    this.database = database;
    this.settings = { ...SETTINGS, ...session.get("settings") };
    for (const [id, stored] of recordings) {
      if (!audio.has(id)) continue;
      const own = { ...this.voices, ...stored }; // an earlier version stored none
      this.recordings.push({ ...own, blob: audio.get(id), jobs: new Map(), removed: false });
    }
    this.recordings.sort((a, b) => a.position - b.position);
    const byId = new Map(this.recordings.map((recording) => [recording.id, recording]));
    for (const [key, job] of jobs) {
      const [id, ...rest] = key.split("\n");
      byId.get(id)?.jobs.set(rest.join("\n"), job);
    }
    this.history = session.get("history") ?? this.history;
    this.deletions = session.get("deletions") ?? [];
    this.pending = session.get("pending") ?? {};
  }

  /** How the next recording is recognised. @returns {Voices} */
  get voices() {
    const { speakers, channels } = this.settings;
    return { speakers, channels };
  }

  /** Adds recordings. @param {File[]} files @returns {Recording[]} */
  add(files) {
    const next = 1 + Math.max(-1, ...this.recordings.map(({ position }) => position));
    const added = files.map((blob, i) => ({
      id: newId(), name: blob.name, bytes: blob.size, position: next + i,
      speaker: blob.name.replace(/\.[^.]*$/, ""), duration: 0, annotations: [], blob,
      jobs: new Map(), removed: false, ...this.voices,
    }));
    this.recordings.push(...added);
    this.write(added.flatMap((recording) => [
      ["audio", recording.id, recording.blob],
      this.stored(recording),
    ]));
    return added;
  }

  /** Removes a recording with all that belongs to it. @returns {string[]} ids of its jobs */
  remove(recording) {
    recording.removed = true;
    this.recordings = this.recordings.filter((other) => other !== recording);
    for (const side of ["done", "undone"]) {
      this.history[side] = this.history[side].filter(({ id }) => id !== recording.id);
    }
    delete this.settings.rows[recording.id];
    const keys = [...recording.jobs.keys()].map((key) => `${recording.id}\n${key}`);
    const ids = [...recording.jobs.values()].map(({ id }) => id).filter(Boolean);
    this.deletions.push(...ids);
    this.write([
      ["recordings", recording.id, undefined],
      ["audio", recording.id, undefined],
      ...keys.map((key) => ["jobs", key, undefined]),
      ["session", "history", this.history],
      ["session", "settings", this.settings],
      ["session", "deletions", this.deletions],
    ]);
    return ids;
  }

  /** Remembers a job that the server must delete. @param {string} id */
  delete(id) {
    this.deletions.push(id);
    this.write([["session", "deletions", this.deletions]]);
  }

  /** The server has deleted a job. @param {string} id */
  deleted(id) {
    this.deletions = this.deletions.filter((other) => other !== id);
    this.write([["session", "deletions", this.deletions]]);
  }

  /** Edits the annotations of a recording. @param {import("./annotations.js").Change} change */
  edit(recording, change) {
    if (!change.removed.length && !change.added.length) return;
    this.history.done.push({ id: recording.id, ...change });
    if (this.history.done.length > HISTORY) this.history.done.shift();
    this.history.undone = [];
    this.annotate(recording, change);
  }

  /** Undoes the last edit. @returns {{recording: Recording, change: object} | null} */
  undo() {
    return this.step("done", "undone", inverse);
  }

  redo() {
    return this.step("undone", "done", (change) => change);
  }

  step(from, to, direction) {
    const edit = this.history[from].pop();
    if (!edit) return null;
    this.history[to].push(edit);
    const recording = this.recordings.find(({ id }) => id === edit.id);
    const change = direction(edit);
    this.annotate(recording, change);
    return { recording, change };
  }

  annotate(recording, change) {
    recording.annotations = apply(recording.annotations, change);
    this.write([this.stored(recording), ["session", "history", this.history]]);
    this.changed("annotations", recording);
  }

  /** Changes settings. @param {Partial<Settings>} values */
  set(values) {
    Object.assign(this.settings, values);
    this.write([["session", "settings", this.settings]]);
  }

  savePending() {
    this.write([["session", "pending", this.pending]]);
  }

  save(recording) {
    if (!recording.removed) this.write([this.stored(recording)]);
  }

  saveJob(recording, key) {
    const job = recording.jobs.get(key);
    if (!recording.removed) this.write([["jobs", `${recording.id}\n${key}`, job]]);
  }

  stored({ blob, jobs, removed, ...recording }) { // these are stored elsewhere, or not at all
    return ["recordings", recording.id, recording];
  }

  /** Writes no more: another tab has taken over. */
  release() {
    this.database = undefined;
  }

  /** Whether all is written. */
  get saved() {
    return !this.writing && !this.problem;
  }

  async write(writes) {
    if (!this.database) return;
    this.writing += 1;
    this.changed("saved");
    try {
      await this.database.write(writes);
      this.problem = "";
    } catch (error) {
      this.problem = error?.message || String(error);
    }
    this.writing -= 1;
    this.changed("saved");
  }
}
