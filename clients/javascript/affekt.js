/** Client of `affekt serve`, for browsers and Node 18 or later. */

const BUSY = [429, 503]; // status codes of a server that may answer later
const REFUSED = [413, 422]; // status codes of a recording that is too long, or none
const LONGEST_WAIT = 60_000; // ms between two tries, whatever the server asks for
const DONE = 1000; // close code of a stream at its end
const BROKEN = 1006; // close code of a connection that broke
const OPEN = 1; // state of a WebSocket
const POLL = 500; // ms between two looks at a job
const FRAME = 1 << 16; // bytes of a frame of a stream; the server refuses those of more than 1 MiB
const UNSENT = 1 << 20; // bytes that may wait to be sent before the next block is asked for
const RECONNECTIONS = 5; // times in a row that events are asked for again without a new one

/**
 * @typedef {object} Segment
 * @property {number} start Seconds from the beginning of the file.
 * @property {number} end
 * @property {string} label
 * @property {Object<string, number>} probabilities
 * @property {number} attention
 */

/**
 * @typedef {object} Prediction The emotion of a recording or of an utterance; `/docs` of the server
 *   describes all keys.
 * @property {string} file
 * @property {number} start Seconds.
 * @property {number} duration Seconds.
 * @property {string} label The most probable class, or "uncertain".
 * @property {number} confidence
 * @property {Object<string, number>} probabilities
 * @property {Segment[]} segments
 * @property {string} rejection_reason Why the label is "uncertain", or "".
 * @property {string} speaker
 * @property {number} channel
 * @property {string[]} warnings
 * @property {Prediction[]} [utterances] Of a whole recording.
 */

/**
 * @typedef {object} Job
 * @property {string} id
 * @property {"queued" | "running" | "done" | "failed"} status
 * @property {number} progress Fraction of the recording, 0 to 1.
 * @property {number} available Number of predictions so far.
 * @property {string} file
 * @property {string} error Why it failed, or "".
 * @property {string} tag
 * @property {string} created
 * @property {string | null} expires
 */

/**
 * @typedef {object} Parameters How recordings are recognised.
 * @property {string} [model]
 * @property {number} [track]
 * @property {"mean" | "split"} [channels]
 * @property {number | "auto"} [speakers]
 * @property {number} [hop]
 */

/**
 * @typedef {object} JobParameters
 * @property {string} [tag] Name of a group of jobs.
 * @property {number} [keep_hours] Hours after which an ended job is deleted.
 * @property {string} [webhook] Address to which a message is sent when it has ended.
 * @property {string} [idempotencyKey] Your name of the request: with the same one, it gives the same
 *   job. By default a new one for each call, so that a retry queues no second job.
 */

/**
 * @typedef {object} StreamParameters What the blocks of a stream are, and how they are recognised.
 * @property {string} [model]
 * @property {"int16" | "float32" | "mulaw" | "alaw" | "opus" | "webm" | "ogg"} [samples] By default
 *   int16: mono samples, little-endian.
 * @property {number} [rate] Sampling rate of samples in Hz, by default 16000; of mulaw and alaw 8000.
 * @property {number} [hop] Seconds from one segment to the next.
 */

/** The server refused a request or a recording, or cannot be reached. */
export class ServerError extends Error {
  /**
   * @param {string} message
   * @param {number} code Status code of HTTP; 0 if there was no response.
   * @param {string} requestId Id of the request in the log of the server, or "".
   */
  constructor(message, code = 0, requestId = "") {
    super(message);
    this.name = "ServerError";
    this.code = code;
    this.requestId = requestId;
  }
}

/** The server closed a stream before its end, or the connection broke. */
export class StreamError extends ServerError {
  /**
   * @param {number} code Close code of the WebSocket; 1006 if the connection broke.
   * @param {string} reason The sentence that the server gave, or "".
   */
  constructor(code, reason) {
    super(reason || `the stream was closed with code ${code}`, code);
    this.name = "StreamError";
    this.reason = reason;
  }
}

/**
 * A client of a server. A request is sent again if the server is busy, after the time that it asks
 * for, or if the connection breaks. A page can only reach the server that it came from.
 */
export class Client {
  #url;
  #headers;
  #retries;
  #protocols;
  #WebSocket;

  /**
   * @param {string} url Address of the server.
   * @param {{token?: string, retries?: number, WebSocket?: function}} [options] A token or key, the
   *   number of times that a request is sent again, and the class for streams where there is none:
   *   before Node 22, that of the package ws.
   */
  constructor(url = "http://127.0.0.1:8000", options = {}) {
    const { token = "", retries = 3, WebSocket = globalThis.WebSocket } = options;
    this.#url = url.replace(/\/$/, "");
    this.#headers = token ? { Authorization: `Bearer ${token}` } : {};
    this.#retries = retries;
    this.#protocols = token ? ["affekt", `token.${token}`] : ["affekt"]; // no headers in a browser
    this.#WebSocket = WebSocket;
  }

  /** The models of the server. @returns {Promise<object[]>} */
  async models() {
    return (await this.#request("GET", "/v1/models")).json();
  }

  /**
   * Recognise a recording of up to 30 s.
   * @param {Blob} recording A file, or a Blob.
   * @param {Parameters} [parameters]
   * @returns {Promise<Prediction>}
   */
  async recognise(recording, parameters = {}) {
    return this.#upload("/v1/recognise", [recording], parameters);
  }

  /**
   * Recognise up to 32 recordings in one request.
   * @param {Blob[]} recordings
   * @param {Parameters} [parameters]
   * @returns {Promise<(Prediction | ServerError)[]>} A prediction of each, or why there is none.
   */
  async recogniseFiles(recordings, parameters = {}) {
    if (!recordings.length) return [];
    try {
      const found = await this.#upload("/v1/recognise", recordings, parameters);
      if (recordings.length === 1) return [found];
      return found.map((item) =>
        "detail" in item ? new ServerError(`${item.file}: ${item.detail}`, item.code) : item,
      );
    } catch (error) {
      if (recordings.length === 1 && REFUSED.includes(error.code)) return [error];
      throw error;
    }
  }

  /**
   * Queue a recording of up to 12 hours.
   * @param {Blob} recording
   * @param {Parameters & JobParameters} [parameters]
   * @returns {Promise<Job>}
   */
  async submit(recording, { idempotencyKey = randomKey(), ...parameters } = {}) {
    const headers = { "Idempotency-Key": idempotencyKey };
    return this.#upload("/v1/jobs", [recording], parameters, headers);
  }

  /**
   * The present state of a job.
   * @param {string} id
   * @returns {Promise<Job>}
   */
  async job(id) {
    return (await this.#request("GET", `${path(id)}?after=1000000000`)).json();
  }

  /**
   * All jobs, the latest first.
   * @param {{tag?: string, status?: string}} [wanted]
   * @returns {AsyncGenerator<Job>}
   */
  async *jobs(wanted = {}) {
    for (let after = ""; after !== null; ) {
      const query = new URLSearchParams({ ...wanted, after });
      const page = await (await this.#request("GET", `/v1/jobs?${query}`)).json();
      yield* page.jobs;
      after = page.next;
    }
  }

  /**
   * The predictions of a job so far, also while it is running.
   * @param {string} id
   * @param {number} [after] Number of predictions to leave out.
   * @returns {Promise<Prediction[]>}
   */
  async result(id, after = 0) {
    return (await (await this.#request("GET", `${path(id)}?after=${after}`)).json()).result;
  }

  /**
   * What happens to a job until it has ended. If the connection breaks, the events go on.
   * @param {string} id
   * @param {number} [after] Number of predictions to leave out.
   * @returns {AsyncGenerator<{name: "utterance" | "progress" | "done" | "failed" | "deleted",
   *   data: any}>}
   */
  async *events(id, after = 0) {
    let last = String(after);
    for (let broken = 0; broken <= RECONNECTIONS; broken++) {
      const headers = { "Last-Event-ID": last };
      const response = await this.#request("GET", `${path(id)}/events`, { headers });
      try {
        for await (const event of readEvents(response.body)) {
          last = event.id ?? last;
          broken = 0;
          yield { name: event.name, data: event.data };
          if (["done", "failed", "deleted"].includes(event.name)) return;
        }
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // what fetch calls a broken connection
      }
      await sleep(POLL);
    }
    throw new ServerError(`job ${id}: the connection broke again and again`);
  }

  /**
   * Wait until a job is done.
   * @param {string} id
   * @param {{signal?: AbortSignal}} [options] A signal ends the waiting; the job goes on.
   * @returns {Promise<Prediction[]>} One prediction for each utterance.
   */
  async wait(id, { signal } = {}) {
    for (;;) {
      signal?.throwIfAborted();
      const { status, error } = await this.job(id);
      if (status === "done") return this.result(id);
      if (status === "failed") throw new ServerError(`job ${id}: ${error}`);
      await sleep(POLL);
    }
  }

  /**
   * Delete a job, its recording and its result, whether it has ended or not.
   * @param {string} id
   */
  async cancel(id) {
    await this.#request("DELETE", path(id));
  }

  /**
   * Recognise live speech. Blocks may have any length, but whole samples; an Opus packet is one.
   * @param {Iterable<Block> | AsyncIterable<Block>} blocks
   * @param {StreamParameters} [parameters]
   * @returns {AsyncGenerator<{segment: Segment} | {utterance: Prediction}>} A segment every `hop`
   *   seconds, and an utterance after its end. It throws a StreamError if the server closes the
   *   stream before its end, and what `blocks` throws.
   * @typedef {ArrayBuffer | ArrayBufferView | Blob} Block
   */
  async *stream(blocks, parameters = {}) {
    if (!this.#WebSocket) throw new Error("no WebSocket here; give one, or use Node 22 or later");
    const address = `${this.#url.replace("http", "ws")}/v1/stream?${new URLSearchParams(parameters)}`;
    const socket = new this.#WebSocket(address, this.#protocols);
    const messages = []; // each as a function that returns or throws what happened
    let wake = () => {};
    const tell = (message) => {
      messages.push(message);
      wake();
    };
    const fail = (error) =>
      tell(() => {
        throw error;
      });
    socket.onopen = () => send(socket, blocks).catch(fail);
    socket.onmessage = ({ data }) => tell(() => JSON.parse(data));
    socket.onerror = () => fail(new StreamError(BROKEN, "")); // before Node 22, nothing follows it
    socket.onclose = ({ code, reason }) =>
      code === DONE ? tell(() => null) : fail(new StreamError(code, reason));
    try {
      for (;;) {
        while (!messages.length) await new Promise((resolve) => (wake = resolve));
        const message = messages.shift()();
        if (!message) return;
        yield message;
      }
    } finally {
      socket.close();
    }
  }

  async #upload(route, recordings, parameters, headers = {}) {
    const body = new FormData();
    for (const file of recordings) body.append("file", file, file.name ?? "recording");
    for (const [name, value] of Object.entries(parameters)) body.append(name, value);
    return (await this.#request("POST", route, { body, headers })).json();
  }

  async #request(method, route, { body, headers = {} } = {}) {
    const options = { method, body, headers: { ...this.#headers, ...headers } };
    for (let tries = 0; ; tries++) {
      const isLast = tries === this.#retries;
      let wait = 500 * 2 ** tries;
      try {
        const response = await fetch(this.#url + route, options);
        if (response.ok) return response;
        if (isLast || !BUSY.includes(response.status)) throw await errorOf(response);
        const seconds = Number(response.headers.get("Retry-After") ?? NaN); // NaN: a date
        if (!Number.isNaN(seconds)) wait = seconds * 1000;
        await response.body?.cancel();
      } catch (error) {
        if (error instanceof ServerError) throw error;
        if (isLast) throw new ServerError(`${this.#url}: ${error.cause?.message ?? error.message}`);
      }
      await sleep(Math.min(wait, LONGEST_WAIT));
    }
  }
}

/** Send blocks and the end of a stream, as long as it is open. */
async function send(socket, blocks) {
  for await (const block of blocks) {
    const data = ArrayBuffer.isView(block)
      ? new Uint8Array(block.buffer, block.byteOffset, block.byteLength)
      : block;
    const size = data.byteLength ?? data.size;
    for (let i = 0; i < size; i += FRAME) socket.send(data.slice(i, i + FRAME));
    while (socket.readyState === OPEN && socket.bufferedAmount > UNSENT) await sleep(50);
    if (socket.readyState !== OPEN) return;
  }
  socket.send("end");
}

async function errorOf(response) {
  const body = await response.json().catch(() => ({})); // of a proxy: no JSON
  const detail = body.detail ?? `${response.status} ${response.statusText}`;
  return new ServerError(detail, response.status, response.headers.get("X-Request-ID") ?? "");
}

async function* readEvents(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text = (text + decoder.decode(value, { stream: true })).replaceAll("\r\n", "\n");
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s)));
        if (fields.data) {
          yield { name: fields.event, id: fields.id, data: JSON.parse(fields.data) };
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function path(id) {
  return `/v1/jobs/${encodeURIComponent(id)}`;
}

/** crypto.randomUUID is missing in pages without TLS. */
function randomKey() {
  return Array.from({ length: 4 }, () => Math.random().toString(36).slice(2)).join("");
}

function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
