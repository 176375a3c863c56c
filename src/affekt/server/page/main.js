/** Ties the parts of the page together. */

import * as api from "./api.js";
import { bundle, Corrections } from "./corrections.js";
import { find, make, say } from "./dom.js";
import { offer } from "./downloads.js";
import { Jobs } from "./jobs.js";
import { List } from "./list.js";
import { live } from "./live.js";
import { summary } from "./summary.js";
import { Table } from "./table.js";
import { t, translate } from "./words.js";
import { View } from "./view.js";

translate();
const entries = [];
let models = [];
let shown = null;
let unsaved = false; // whether there are labels that were not exported

const jobs = new Jobs(changed);
const list = new List({ open, remove, retry: (entry) => entry.jobs.size && again(entry) });
const view = new View();
const table = new Table({
  play: ({ start, end }) => view.wave.play(start, end),
  seek: ({ start }) => view.wave.seek(start),
  label,
});

const chosen = () => find("model").value;
const wanted = () => [...new Set([chosen(), find("compare").value])].filter(Boolean);

function add(files) {
  const added = [...files].map((blob) => {
    const speaker = blob.name.replace(/\.[^.]*$/, "");
    const corrections = new Corrections();
    return { name: blob.name, blob, speaker, jobs: new Map(), corrections, gone: false };
  });
  for (const entry of added) {
    entries.push(entry);
    list.add(entry);
    recognise(entry);
  }
  if (added.length) open(added[0]);
}

/** By the models that are wanted, once these are known. */
function recognise(entry) {
  if (!models.length) return;
  jobs.need(entry, chosen());
  if (entry === shown) for (const model of wanted()) jobs.need(entry, model);
  list.update(entry, chosen());
}

async function open(entry) {
  shown = entry;
  list.mark(entry);
  recognise(entry);
  find("speaker").value = entry.speaker;
  find("export-problem").textContent = "";
  const opened = view.open(entry);
  results();
  await opened;
  if (shown === entry) results();
}

function remove(entry) {
  entries.splice(entries.indexOf(entry), 1);
  jobs.forget(entry);
  if (shown === entry) {
    shown = null;
    view.close();
  }
  counted();
  unsaved &&= entries.some(({ corrections }) => corrections.spans.size);
}

function again(entry) {
  for (const [model, { status }] of [...entry.jobs]) {
    if (status === "failed") jobs.retry(entry, model);
  }
}

/** A job has news. */
function changed(entry, model) {
  if (entry.gone) return;
  const job = entry.jobs.get(model);
  if (model === chosen()) list.update(entry, model);
  if (job.status === "done") say(t("done", { name: entry.name, label: summary(job) }));
  if (job.code === 401) find("token").hidden = false;
  if (job.status === "failed" && model !== chosen()) say(job.error);
  if (entry !== shown || !wanted().includes(model)) return;
  if (job.status === "done") results();
  else view.summaries(states());
}

function states() {
  const known = wanted().map((name) => models.find((model) => model.name === name));
  return known.map(({ name, intended_use, labels }) => ({ name, intended_use, labels, job: shown.jobs.get(name) }));
}

function results() {
  const all = states();
  view.results(all);
  const [first] = all;
  if (!first) return;
  const other = view.lanes.find(({ name }) => name !== first.name) ?? null;
  table.show(first.job?.result ?? [], first.labels, shown.corrections, other);
  offer(first.job, shown.name);
  counted();
}

function label(part, given) {
  const { start, end } = part;
  const { recognised, model } = // of a span that was labelled under another model, still that
    shown.corrections.get(part) ?? { recognised: part.label, model: chosen() };
  if (given) shown.corrections.set({ start, end, label: given, recognised, model });
  else shown.corrections.take(part);
  unsaved = true;
  view.labels();
  counted();
}

function counted() {
  const count = entries.reduce((sum, { corrections }) => sum + corrections.spans.size, 0);
  find("export").textContent = t("export", { count });
  find("export").disabled = count === 0;
}

async function exportAll() {
  unsaved = false;
  const { blob, count, undecoded } = await bundle(entries);
  if (!count || undecoded.length) unsaved = true;
  const names = undecoded.join(", ");
  find("export-problem").textContent = names && t("leftOut", { names });
  if (!count) return;
  api.save(blob, "corrections.zip");
  say(t("exported", { count }));
}

async function start() {
  find("problem").textContent = "";
  try {
    models = await api.models();
  } catch (error) {
    find("problem").textContent = error.message;
    find("token").hidden = error.status !== 401;
    return;
  }
  find("token").hidden = true;
  const names = models.map(({ name }) => make("option", { value: name, textContent: name }));
  find("compare").replaceChildren(
    make("option", { value: "", textContent: t("none") }),
    ...names.map((option) => option.cloneNode(true)),
  );
  find("model").replaceChildren(...names);
  find("model").value = models.find((model) => model.default)?.name ?? models[0].name;
  for (const entry of entries) {
    again(entry);
    recognise(entry);
  }
  if (shown) results();
}

find("choose").onchange = ({ target }) => {
  add(target.files);
  target.value = "";
};
find("model").onchange = find("compare").onchange = () => {
  for (const entry of entries) recognise(entry);
  if (shown) results();
};
find("speaker").oninput = ({ target }) => (shown.speaker = target.value);
find("export").onclick = exportAll;
find("token").onsubmit = (event) => {
  event.preventDefault();
  api.token.set(new FormData(event.target).get("token"));
  start();
};
addEventListener("beforeunload", (event) => unsaved && event.preventDefault());
addEventListener("keydown", ({ key }) => key === "Escape" && view.wave.pause());
addEventListener("dragover", (event) => {
  event.preventDefault();
  find("drop").classList.add("over");
});
addEventListener("dragleave", () => find("drop").classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  find("drop").classList.remove("over");
  add(event.dataTransfer.files);
});
live({ model: chosen, add });
start();
