/** Submits recordings as jobs, a few at a time, and gets the results of all as they come. */

import * as api from "./api.js";
import { t } from "./i18n.js";
import { jobKey } from "./store.js";

const UPLOADS = 2; // at the same time
const MAX_FAILURES = 10; // of requests in a row, before jobs are given up
const POLL = [150, 300, 600, 1000]; // ms between polls; the last value repeats
const ENDED = ["done", "failed"];

const SHOWN = ["status", "progress", "id", "error", "code"]; // of the server's state

/** Whether a request may succeed later. */
const passes = ({ status }) => status === 0 || status === 429;

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
    this.sending = 0;
    /** @type {Set<{recording: object, key: string, job: Job, known: boolean}>} jobs of the server
     *   that have not ended; known: whether the server knew it at an earlier poll */
    this.followed = new Set();
    this.polls = 0; // since the last job was added
    this.isPolling = false;
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
        if (!ENDED.includes(status)) this.enqueue(recording, key);
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
    while (this.sending < UPLOADS && this.waiting.length) {
      const [recording, key] = this.waiting.shift();
      if (recording.removed) continue;
      this.sending += 1;
      this.begin(recording, key).finally(() => {
        this.sending -= 1;
        this.next();
      });
    }
  }

  /** Sends a recording, unless an earlier visit did, and follows its job from then on. */
  async begin(recording, key) {
    const one = { recording, key, job: recording.jobs.get(key), known: false };
    try {
      if (!one.job.id) await this.send(one);
    } catch (error) {
      return this.fail(one, error);
    }
    if (recording.removed || ENDED.includes(one.job.status)) return undefined;
    this.followed.add(one);
    this.polls = 0;
    if (!this.isPolling) this.follow();
    return undefined;
  }

  async send(one) {
    const { recording, job } = one;
    job.result = null;
    this.update(one, { status: "sending" });
    const state = await this.submit(one);
    if (recording.removed) this.discard(state.id);
    this.update(one, state);
  }

  update({ recording, key, job }, state) {
    const known = job.status === state.status && job.id === (state.id ?? job.id);
    for (const name of SHOWN) job[name] = state[name] ?? job[name];
    if (state.result?.length) job.result = [...(job.result ?? []), ...state.result];
    if (!known) this.store.saveJob(recording, key);
    this.changed(recording, job, !known || Boolean(state.result?.length));
  }

  fail(one, error) {
    if (!(error instanceof api.ServerError)) reportError(error);
    this.followed.delete(one);
    this.update(one, { status: "failed", error: error.message, code: error.status ?? -1 });
  }

  /** Asks for the states of all jobs by one request, again and again until all have ended; waits
   * for a while if the server cannot be reached. */
  async follow() {
    this.isPolling = true;
    for (let failures = 0; this.followed.size;) {
      await sleep(POLL[Math.min(this.polls, POLL.length - 1)]);
      this.polls += 1;
      const all = [...this.followed].filter((one) => this.isWanted(one));
      try {
        const states = await api.jobs(all.map(({ job }) => job.id));
        for (const one of all) await this.advance(one, states.get(one.job.id));
        failures = 0;
      } catch (error) {
        failures += 1;
        if (passes(error) && failures < MAX_FAILURES) {
          await sleep(1000 * Math.max(failures, error.wait));
          continue;
        }
        for (const one of all) if (this.followed.has(one)) this.fail(one, error);
        failures = 0;
      }
    }
    this.isPolling = false;
  }

  /** Whether a job is still that of its recording; else it is followed no longer. */
  isWanted(one) {
    const { recording, key, job } = one;
    const wanted = !recording.removed && recording.jobs.get(key) === job;
    if (!wanted) this.followed.delete(one);
    return wanted;
  }

  /** Shows the present state of a job, and gets its further predictions. A job of an earlier visit
   * is submitted again if the server no longer knows it; one that was known before has been deleted
   * there. @param {object | undefined} state  of the server */
  async advance(one, state) {
    const { recording, key, job } = one;
    if (!this.isWanted(one)) return;
    if (!state && one.known) return this.fail(one, new api.ServerError(t("deletedThere"), 404));
    if (!state) {
      this.followed.delete(one);
      job.id = "";
      return this.enqueue(recording, key);
    }
    one.known = true;
    const count = job.result?.length ?? 0;
    if (state.available > count) {
      try {
        const further = await api.job(job.id, count);
        if (!this.isWanted(one)) return;
        this.update(one, further);
      } catch (error) {
        if (passes(error)) throw error;
        if (error.status !== 404) this.fail(one, error); // 404: the next poll tells what it means
      }
    } else {
      this.update(one, state);
    }
    if (ENDED.includes(job.status)) this.followed.delete(one);
  }

  /** Submits a recording and returns the job; waits while the queue of the server is full. */
  async submit(one) {
    const { recording, job: { model, speakers, channels = "mean" } } = one;
    for (;;) {
      try {
        return await api.submit(recording.blob, recording.name, { model, speakers, channels });
      } catch (error) {
        if (error.status !== 429 || recording.removed) throw error;
        this.update(one, { status: "busy" });
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
