/** The page: its state, and what connects its components. */

import * as api from "./api.js";
import { bundle, Corrections } from "./corrections.js";
import { announce, find, make } from "./dom.js";
import { showDownloads } from "./downloads.js";
import { Jobs } from "./jobs.js";
import { List } from "./list.js";
import { initRecording } from "./live.js";
import { summary } from "./summary.js";
import { Table } from "./table.js";
import { t, translate } from "./i18n.js";
import { View } from "./view.js";

translate();
const entries = [];
let models = [];
let current = null;
let unsaved = false; // whether labels changed since the last export

const jobs = new Jobs(jobChanged);
const list = new List({ open, remove, retry: (entry) => entry.jobs.size && retryFailed(entry) });
const view = new View();
const table = new Table({
  play: ({ start, end }) => view.wave.play(start, end),
  seek: ({ start }) => view.wave.seek(start),
  label: setLabel,
});

const selectedModel = () => find("model").value;
const selectedSpeakers = () => find("speakers").value;
const selectedModels = () => [...new Set([selectedModel(), find("compare").value])].filter(Boolean);

function add(files) {
  const added = [...files].map((blob) => {
    const speaker = blob.name.replace(/\.[^.]*$/, "");
    const corrections = new Corrections();
    const bySpeakers = { 1: new Map(), auto: new Map() };
    const jobs = bySpeakers[selectedSpeakers()];
    return { name: blob.name, blob, speaker, bySpeakers, jobs, corrections, removed: false };
  });
  for (const entry of added) {
    entries.push(entry);
    list.add(entry);
    recognise(entry);
  }
  if (added.length) open(added[0]);
}

/** Submits a recording for the selected models, once the models are known. */
function recognise(entry) {
  if (!models.length) return;
  const all = entry === current ? selectedModels() : [selectedModel()];
  for (const model of all) jobs.request(entry, model, selectedSpeakers());
  list.update(entry, selectedModel());
}

async function open(entry) {
  current = entry;
  list.markCurrent(entry);
  recognise(entry);
  find("speaker").value = entry.speaker;
  find("export-problem").textContent = "";
  const opened = view.open(entry);
  showResults();
  await opened;
  if (current === entry) showResults();
}

function remove(entry) {
  entries.splice(entries.indexOf(entry), 1);
  jobs.deleteAll(entry);
  if (current === entry) {
    current = null;
    view.close();
  }
  updateExportButton();
  unsaved &&= entries.some(({ corrections }) => corrections.spans.size);
}

/** Submits the failed jobs of a recording again. */
function retryFailed(entry) {
  for (const [model, { status }] of [...entry.jobs]) {
    if (status === "failed") jobs.retry(entry, model);
  }
}

/** Shows a new state of a job. */
function jobChanged(entry, model) {
  if (entry.removed) return;
  const job = entry.jobs.get(model);
  if (model === selectedModel()) list.update(entry, model);
  if (job.status === "done") announce(t("done", { name: entry.name, label: summary(job) }));
  if (job.code === 401) find("token").hidden = false;
  if (job.status === "failed" && model !== selectedModel()) announce(job.error);
  if (entry !== current || !selectedModels().includes(model)) return;
  if (job.status === "done") showResults();
  else view.showSummaries(modelStates());
}

/** The selected models and their jobs for the current recording. */
function modelStates() {
  const known = selectedModels().map((name) => models.find((model) => model.name === name));
  return known.map(({ name, intended_use, labels }) => {
    return { name, intended_use, labels, job: current.jobs.get(name) };
  });
}

function showResults() {
  const all = modelStates();
  view.showResults(all);
  const [first] = all;
  if (!first) return;
  const other = view.lanes.find(({ name }) => name !== first.name) ?? null;
  table.show(first.job?.result ?? [], first.labels, current.corrections, other);
  showDownloads(first.job, current.name);
  updateExportButton();
}

/** Assigns a label of the user to a part; "" removes it. */
function setLabel(part, label) {
  const { start, end, speaker } = part;
  const { recognised, model } = // the first model under which this span was labelled
    current.corrections.get(part) ?? { recognised: part.label, model: selectedModel() };
  if (label) current.corrections.set({ start, end, label, recognised, model, speaker });
  else current.corrections.remove(part);
  unsaved = true;
  view.drawLabels();
  updateExportButton();
}

/** Counts the labels of all recordings on the export button. */
function updateExportButton() {
  const count = entries.reduce((sum, { corrections }) => sum + corrections.spans.size, 0);
  find("export").textContent = t("export", { count });
  find("export").disabled = count === 0;
}

async function exportAll() {
  unsaved = false;
  const { blob, count, undecoded } = await bundle(entries);
  if (!count || undecoded.length) unsaved = true;
  const names = undecoded.join(", ");
  find("export-problem").textContent = names && t("notExported", { names });
  if (!count) return;
  api.save(blob, "corrections.zip");
  announce(t("exported", { count }));
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
    retryFailed(entry);
    recognise(entry);
  }
  if (current) showResults();
}

find("choose").onchange = ({ target }) => {
  add(target.files);
  target.value = "";
};
find("model").onchange = find("compare").onchange = () => {
  for (const entry of entries) recognise(entry);
  if (current) showResults();
};
find("speakers").onchange = ({ target }) => {
  for (const entry of entries) {
    entry.jobs = entry.bySpeakers[target.value];
    recognise(entry);
  }
  if (current) showResults();
};
find("speaker").oninput = ({ target }) => (current.speaker = target.value);
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
initRecording({ model: selectedModel, add });
start();
