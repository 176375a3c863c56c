/** Submits recordings as jobs, a few at a time, and gets the results of each as they come. */

import * as api from "./api.js";
import { t } from "./i18n.js";
import { jobKey } from "./store.js";

const CONCURRENT = 2;
const MAX_FAILURES = 10; // of requests in a row, before a job is given up
const POLL = [150, 300, 600, 1000]; // ms between polls; the last value repeats

const SHOWN = ["status", "progress", "id", "error", "code"]; // of the server's state

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @typedef {{status: string, progress: number, id: string, error: string, code: number,
 *   model: string, speakers: string, channels: string,
 *   result: import("./timeline.js").Prediction[] | null}} Job  result: as far as it is known, null
 *   until there is any of it
 */
export class Jobs {
  /** @param {import("./store.js").Store} store
   * @param {(recording: object, job: Job, news: boolean) => void} changed  news: whether more than
   *   the progress changed */
  constructor(store, changed) {
    this.store = store;
    this.changed = changed;
    this.waiting = [];
    this.running = 0;
  }

  /** Submits a recording for a model, unless that was done before.
   * @param {import("./store.js").Voices} voices */
  request(recording, model, { speakers, channels = "mean" } = recording) {
    const key = jobKey(model, { speakers, channels });
    if (recording.jobs.has(key)) return;
    recording.jobs.set(key, {
      status: "waiting", progress: 0, id: "", error: "", code: 0, model, speakers, channels,
      result: null,
    });
    this.store.saveJob(recording, key);
    this.enqueue(recording, key);
  }

  /** Goes on with the jobs that an earlier visit left. */
  resume() {
    for (const recording of this.store.recordings) {
      for (const [key, { status }] of recording.jobs) {
        if (status !== "done" && status !== "failed") this.enqueue(recording, key);
      }
    }
    for (const id of this.store.deletions) this.delete(id);
  }

  retry(recording, job) {
    if (job.id) this.discard(job.id);
    recording.jobs.delete(jobKey(job.model, job));
    this.request(recording, job.model, job);
  }

  enqueue(recording, key) {
    this.waiting.push([recording, key]);
    this.next();
  }

  next() {
    while (this.running < CONCURRENT && this.waiting.length) {
      const [recording, key] = this.waiting.shift();
      if (recording.removed) continue;
      this.running += 1;
      this.follow(recording, key).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  async follow(recording, key) {
    const job = recording.jobs.get(key);
    const update = (state) => {
      const known = job.status === state.status && job.id === (state.id ?? job.id);
      for (const name of SHOWN) job[name] = state[name] ?? job[name];
      if (state.result?.length) job.result = [...(job.result ?? []), ...state.result];
      if (!known) this.store.saveJob(recording, key);
      this.changed(recording, job, !known || Boolean(state.result?.length));
    };
    try {
      if (!job.id) await this.send(recording, job, update);
      for (let i = 0; job.status === "queued" || job.status === "running"; i += 1) {
        await sleep(POLL[Math.min(i, POLL.length - 1)]);
        if (recording.removed) return;
        update(await this.poll(recording, job, { update, known: i > 0 }));
      }
    } catch (error) {
      if (!(error instanceof api.ServerError)) reportError(error);
      update({ status: "failed", error: error.message, code: error.status ?? -1 });
    }
  }

  async send(recording, job, update) {
    job.result = null;
    update({ status: "sending" });
    const state = await this.submit(recording, job, update);
    if (recording.removed) this.discard(state.id);
    update(state);
    return state;
  }

  /** The state of a job; retries for a while if the server cannot be reached. A job of an earlier
   * visit is submitted again if the server no longer knows it; one that was known before
   * (`known`) has been deleted there. */
  async poll(recording, job, { update, known }) {
    for (let failures = 1; ; failures += 1) {
      try {
        return await api.job(job.id, job.result?.length ?? 0);
      } catch (error) {
        if (error.status === 404 && known) throw new api.ServerError(t("deletedThere"), 404);
        if (error.status === 404) return this.send(recording, job, update);
        if (error.status !== 0 || failures === MAX_FAILURES) throw error;
        await sleep(1000 * failures);
      }
    }
  }

  /** Submits a recording and returns the job; waits while the queue of the server is full. */
  async submit(recording, { model, speakers, channels = "mean" }, update) {
    for (;;) {
      try {
        return await api.submit(recording.blob, recording.name, { model, speakers, channels });
      } catch (error) {
        if (error.status !== 429 || recording.removed) throw error;
        update({ status: "busy" });
        await sleep(1000 * Math.max(error.wait, 1));
      }
    }
  }

  /** Deletes a job of a recording that stays. */
  discard(id) {
    this.store.delete(id);
    this.delete(id);
  }

  /** Deletes a job on the server; one that cannot be deleted now is deleted at the next visit. */
  async delete(id) {
    if (await api.deleteJob(id)) this.store.deleted(id);
  }
}
