/** What the test does with the client, in Node and in a browser; its results as JSON. */
export async function scenario({ Client, ServerError }, url, bytes) {
  const client = new Client(url, { token: "secret", retries: 0 });
  const recording = new File([bytes], "a.flac");
  const whole = await client.recognise(recording, { hop: 0.48 });
  const several = await client.recogniseFiles([recording, new Blob(["hello"])]);
  const [single] = await client.recogniseFiles([new Blob(["hello"])]);
  const options = { tag: "js", idempotencyKey: "one" };
  const job = await client.submit(recording, options);
  const again = await client.submit(recording, options);
  const waited = await client.wait(job.id);
  const events = [];
  for await (const event of client.events(job.id, 1)) events.push(event);
  const listed = [];
  for await (const one of client.jobs({ tag: "js" })) listed.push(one.id);
  const state = await client.job(job.id);
  await client.cancel(job.id);
  const errors = [];
  const wrong = new Client(url, { token: "wrong" });
  for (const call of [
    () => client.job(job.id),
    () => client.recognise(recording, { sepakers: 2 }),
    () => wrong.models(),
  ]) {
    await call().catch((error) => errors.push([error.code, error.message]));
  }
  return {
    models: (await client.models()).map((model) => model.name),
    label: whole.label,
    starts: whole.utterances.map((utterance) => utterance.start),
    several: [several[0].label, several[1] instanceof ServerError, several[1].code],
    single: single.code,
    same: job.id === again.id,
    waited: waited.map((prediction) => prediction.start),
    events: events.map((event) => [event.name, event.data.start ?? event.data.status]),
    result: listed.length === 1 && listed[0] === job.id && state.available,
    errors,
  };
}

/** What the test does with live streams; `pcm` has int16 samples at 16 kHz, and `gone` no server. */
export async function liveScenario({ Client, StreamError }, url, pcm, gone) {
  const client = new Client(url, { token: "secret" });
  const blocks = [pcm.subarray(0, 6400), pcm.slice(6400, 12_800).buffer, new Blob([pcm.slice(12_800)])];
  const found = { segments: [], utterances: [], errors: [] };
  for await (const { segment, utterance } of client.stream(blocks, { hop: 0.48 })) {
    if (segment) found.segments.push([segment.end, segment.label]);
    else found.utterances.push([utterance.start, utterance.label]);
  }
  let isWaiting = true; // for the first result, before the last block is given
  async function* slowly() {
    yield pcm.slice(0, 64_000);
    while (isWaiting) await new Promise((resolve) => setTimeout(resolve, 20));
    yield pcm.slice(64_000, 80_000);
  }
  found.slow = 0;
  for await (const { segment } of client.stream(slowly())) {
    isWaiting = false;
    if (segment) found.slow = segment.end;
  }
  async function* broken() {
    yield pcm.slice(0, 6400);
    throw new RangeError("no microphone");
  }
  for (const results of [
    client.stream([pcm.slice(0, 3)]),
    client.stream([], { model: "nope" }),
    client.stream(broken()),
    new Client(url, { token: "wrong" }).stream([]),
    new Client(gone).stream([]),
    new Client(url, { WebSocket: null }).stream([]),
  ]) {
    try {
      for await (const result of results) void result;
      found.errors.push("none");
    } catch (error) {
      found.errors.push([error instanceof StreamError, error.code ?? null, error.message]);
    }
  }
  return found;
}
