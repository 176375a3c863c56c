/** Submits recordings as jobs, a few at a time, and polls each until it has ended. */

import * as api from "./api.js";

const CONCURRENT = 2;
const MAX_FAILURES = 10; // of requests in a row, before a job is given up
const POLL = [150, 300, 600, 1000]; // ms between polls; the last value repeats

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @typedef {{status: string, progress: number, id: string, error: string, code: number,
 *   speakers: string, result: import("./timeline.js").Prediction[] | null}} Job
 */
export class Jobs {
  /** @param {(entry: object, model: string) => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.waiting = [];
    this.running = 0;
  }

  /** Submits a recording for a model, unless that was done before.
   * @param {string} speakers  number of speakers, or "auto" */
  request(entry, model, speakers) {
    if (entry.jobs.has(model)) return;
    const job = {
      status: "waiting", progress: 0, id: "", error: "", code: 0, speakers, result: null,
    };
    entry.jobs.set(model, job);
    this.waiting.push([entry, model, job]);
    this.next();
  }

  retry(entry, model) {
    const { id, speakers } = entry.jobs.get(model);
    if (id) api.deleteJob(id);
    entry.jobs.delete(model);
    this.request(entry, model, speakers);
  }

  next() {
    while (this.running < CONCURRENT && this.waiting.length) {
      const [entry, model, job] = this.waiting.shift();
      if (entry.removed) continue;
      this.running += 1;
      this.follow(entry, model, job).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  async follow(entry, model, job) {
    const update = (state) => {
      Object.assign(job, state);
      this.changed(entry, model);
    };
    try {
      update({ status: "sending" });
      update(await this.submit(entry, model, job.speakers, update));
      for (let i = 0; job.status === "queued" || job.status === "running"; i += 1) {
        await sleep(POLL[Math.min(i, POLL.length - 1)]);
        if (entry.removed) return void api.deleteJob(job.id);
        update(await this.poll(job.id));
      }
    } catch (error) {
      if (!(error instanceof api.ServerError)) reportError(error);
      update({ status: "failed", error: error.message, code: error.status ?? -1 });
    }
  }

  /** The state of a job; retries for a while if the server cannot be reached. */
  async poll(id) {
    for (let failures = 1; ; failures += 1) {
      try {
        return await api.job(id);
      } catch (error) {
        if (error.status !== 0 || failures === MAX_FAILURES) throw error;
        await sleep(1000 * failures);
      }
    }
  }

  /** Submits a recording and returns the job; waits while the queue of the server is full. */
  async submit(entry, model, speakers, update) {
    for (;;) {
      try {
        return await api.submit(entry.blob, entry.name, model, speakers);
      } catch (error) {
        if (error.status !== 429 || entry.removed) throw error;
        update({ status: "busy" });
        await sleep(1000 * Math.max(error.wait, 1));
      }
    }
  }

  deleteAll(entry) {
    entry.removed = true;
    const all = Object.values(entry.bySpeakers).flatMap((jobs) => [...jobs.values()]);
    for (const { id } of all) if (id) api.deleteJob(id);
  }
}
