/** Requests to the server, and its errors as sentences. */

import { errorText, t } from "./i18n.js";

const KEY = "affekt-token";

export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => sessionStorage.setItem(KEY, value),
};

export class ServerError extends Error {
  /** @param {number} status  of HTTP; 0 if the server was not reached
   * @param {number} wait  seconds until a retry is worthwhile */
  constructor(message, status, wait = 0) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

async function ask(path, options = {}) {
  const headers = token.get() ? { Authorization: `Bearer ${token.get()}` } : {};
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new ServerError(t("unreachable"), 0);
  }
  if (answer.ok) return answer;
  const wait = Number(answer.headers.get("Retry-After")) || 0;
  throw new ServerError(errorText(answer.status, await sentence(answer)), answer.status, wait);
}

async function sentence(answer) {
  try {
    const { detail } = await answer.json();
    return typeof detail === "string" ? detail : JSON.stringify(detail);
  } catch {
    return `${answer.status} ${answer.statusText}`;
  }
}

const jobPath = (id) => `v1/jobs/${encodeURIComponent(id)}`;

export const models = async () => (await ask("v1/models")).json();

/** @param {{model: string, speakers: string, channels: string}} options  as of the API */
export async function submit(file, name, options) {
  const form = new FormData();
  form.append("file", file, name);
  const query = new URLSearchParams(options);
  return (await ask(`v1/jobs?${query}`, { method: "POST", body: form })).json();
}

/** The state of a job, with further predictions. @param {number} after  how many are here */
export const job = async (id, after) => (await ask(`${jobPath(id)}?after=${after}`)).json();

const MOST_IDS = 100; // of a request

/** The states of jobs, without predictions. @returns {Promise<Map<string, object>>} by id; a job
 *   that the server does not know is missing */
export async function jobs(ids) {
  const states = new Map();
  for (let i = 0; i < ids.length; i += MOST_IDS) {
    const query = new URLSearchParams(ids.slice(i, i + MOST_IDS).map((id) => ["id", id]));
    const page = await (await ask(`v1/jobs?${query}`)).json();
    for (const state of page.jobs) states.set(state.id, state);
  }
  return states;
}

/** Deletes a job; a missing one is no error. @returns {Promise<boolean>} whether it is deleted */
export const deleteJob = (id) =>
  ask(jobPath(id), { method: "DELETE" }).then(() => true, (error) => error.status === 404);

/** The adaptations of this client. @throws {ServerError} 404 if the server adapts no models */
export const adaptations = async () => (await ask("v1/adaptations")).json();

export const adaptation = async (id) =>
  (await ask(`v1/adaptations/${encodeURIComponent(id)}`)).json();

/** Cancels an adaptation. */
export const cancelAdaptation = (id) =>
  ask(`v1/adaptations/${encodeURIComponent(id)}`, { method: "DELETE" });

/** Adapts a model to an export of labels. @param {{model: string, name: string}} options  name: of
 *   the new model */
export async function adapt(archive, options) {
  const form = new FormData();
  form.append("file", archive, "corrections.zip");
  const query = new URLSearchParams(options);
  return (await ask(`v1/adaptations?${query}`, { method: "POST", body: form })).json();
}

export const resultPath = (id, format) => `${jobPath(id)}?format=${format}`;

export const result = async (id, format) => (await ask(resultPath(id, format))).blob();

/**
 * Opens a live stream, of the first model where `model` is empty. Browsers cannot add headers to it:
 * the token goes as a subprotocol.
 */
export function streamSocket(model, rate) {
  const query = new URLSearchParams({ rate: String(rate), samples: "float32" });
  if (model) query.set("model", model);
  const url = new URL(`v1/stream?${query}`, document.baseURI);
  url.protocol = url.protocol.replace("http", "ws");
  return new WebSocket(url, token.get() ? ["affekt", `token.${token.get()}`] : ["affekt"]);
}

/** Downloads a blob as a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
