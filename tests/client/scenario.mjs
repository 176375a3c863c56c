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
