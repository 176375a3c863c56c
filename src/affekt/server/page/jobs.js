/** Sends recordings to the server, a few at a time, and follows them until they are done. */

import * as api from "./api.js";

const AT_ONCE = 2;
const MISSED = 10; // answers, before a job is given up
const POLL = [150, 300, 600, 1000]; // ms, the last one from then on

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @typedef {{status: string, progress: number, id: string, error: string, code: number,
 *   result: import("./moments.js").Prediction[] | null}} Job
 */
export class Jobs {
  /** @param {(entry: object, model: string) => void} changed */
  constructor(changed) {
    this.changed = changed;
    this.waiting = [];
    this.running = 0;
  }

  /** Has a recording recognised by a model, once. */
  need(entry, model) {
    if (entry.jobs.has(model)) return;
    const empty = { status: "waiting", progress: 0, id: "", error: "", code: 0, result: null };
    entry.jobs.set(model, empty);
    this.waiting.push([entry, model]);
    this.next();
  }

  retry(entry, model) {
    const { id } = entry.jobs.get(model);
    if (id) api.forget(id);
    entry.jobs.delete(model);
    this.need(entry, model);
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.length) {
      const [entry, model] = this.waiting.shift();
      if (entry.gone) continue;
      this.running += 1;
      this.follow(entry, model).finally(() => {
        this.running -= 1;
        this.next();
      });
    }
  }

  async follow(entry, model) {
    const job = entry.jobs.get(model);
    const tell = (state) => {
      Object.assign(job, state);
      this.changed(entry, model);
    };
    try {
      tell({ status: "sending" });
      tell(await this.accepted(entry, model, tell));
      for (let i = 0; job.status === "queued" || job.status === "running"; i += 1) {
        await sleep(POLL[Math.min(i, POLL.length - 1)]);
        if (entry.gone) return void api.forget(job.id);
        tell(await this.asked(job.id));
      }
    } catch (error) {
      if (!(error instanceof api.ServerError)) reportError(error);
      tell({ status: "failed", error: error.message, code: error.status ?? -1 });
    }
  }

  /** What the server knows of a job; one that cannot be reached is asked again for a while. */
  async asked(id) {
    for (let missed = 1; ; missed += 1) {
      try {
        return await api.job(id);
      } catch (error) {
        if (error.status !== 0 || missed === MISSED) throw error;
        await sleep(1000 * missed);
      }
    }
  }

  /** The job that the server made; a full queue is waited for. */
  async accepted(entry, model, tell) {
    for (;;) {
      try {
        return await api.submit(entry.blob, entry.name, model);
      } catch (error) {
        if (error.status !== 429 || entry.gone) throw error;
        tell({ status: "busy" });
        await sleep(1000 * Math.max(error.wait, 1));
      }
    }
  }

  forget(entry) {
    entry.gone = true;
    for (const { id } of entry.jobs.values()) if (id) api.forget(id);
  }
}
