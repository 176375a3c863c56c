/** The page: starts the store and the views, and connects them. */

import { connectActions } from "./actions.js";
import { Adapt } from "./adapt.js";
import * as api from "./api.js";
import { Collection } from "./collection.js";
import { Database } from "./database.js";
import { find, make } from "./dom.js";
import { initHelp } from "./help.js";
import { t, translate } from "./i18n.js";
import { Labels } from "./labels.js";
import { initLive } from "./live.js";
import { initSamples } from "./samples.js";
import { Store } from "./store.js";
import { claim } from "./tabs.js";
import { Workbench } from "./workbench.js";

translate();
const store = new Store(storeChanged);
const collection = new Collection(store);
const workbench = new Workbench(store, {
  models: () => collection.modelsWithJobs(),
  next: (recording, step) => collection.neighbour(recording, step),
  open: (recording, options) => collection.open(recording, options),
  addClass: () => labels.addClass(),
});
collection.workbench = workbench;
const labels = new Labels(store, collection, workbench);

const adapt = new Adapt(store, collection, {
  reload: loadModels,
  select: (name) => {
    find("model").value = name;
    find("model").dispatchEvent(new Event("change"));
  },
});

function storeChanged(event, recording) {
  if (event === "saved") return showSaved();
  collection.update(recording);
  if (store.settings.unlabelled) collection.show();
  if (recording === workbench.current) workbench.showAnnotations();
  return labels.showState();
}

function showSaved() {
  const { problem, saved } = store;
  const text = problem ? t("notSaved", { why: problem }) : t(saved ? "saved" : "saving");
  find("saved").classList.toggle("error", problem !== "");
  find("saved").textContent = text;
}

/** Adds recordings, and imports exports of labels; once what an earlier visit left is loaded. */
async function add(files) {
  await loaded;
  for (const recording of collection.add(files)) labels.bringPending(recording);
  labels.import(files);
}

async function loadModels() {
  find("problem").textContent = "";
  try {
    collection.models = await api.models();
  } catch (error) {
    find("problem").textContent = error.message;
    find("token").hidden = error.status !== 401;
    return;
  }
  find("token").hidden = true;
  showModels(collection.models);
  for (const recording of store.recordings) {
    collection.retry(recording, ({ code }) => code === 401);
    collection.recognise(recording);
  }
  showAll();
}

function showModels(models) {
  const names = models.map(({ name }) => make("option", { value: name, textContent: name }));
  const none = make("option", { value: "", textContent: t("none") });
  find("compare").replaceChildren(none, ...names.map((option) => option.cloneNode(true)));
  find("model").replaceChildren(...names);
  const known = (name) => models.some((model) => model.name === name);
  const preferred = models.find((model) => model.default) ?? models[0];
  const { model, compare } = store.settings;
  store.set({
    model: known(model) ? model : preferred.name,
    compare: known(compare) ? compare : "",
  });
  find("model").value = store.settings.model;
  find("compare").value = store.settings.compare;
}

function showAll() {
  labels.showClasses();
  collection.show();
  labels.showState();
  if (workbench.current) workbench.showResults();
}

const MOST_SPEAKERS = 20; // that the server takes

function connectSettings() {
  for (let number = 2; number <= MOST_SPEAKERS; number += 1) {
    find("speakers").append(make("option", { value: number, textContent: number }));
  }
  for (const name of ["model", "compare", "order"]) {
    find(name).onchange = ({ target }) => {
      store.set({ [name]: target.value });
      for (const recording of store.recordings) collection.recognise(recording);
      showAll();
    };
  }
  for (const name of ["speakers", "channels"]) {
    find(name).onchange = ({ target }) => collection.setVoices({ [name]: target.value });
  }
  find("unlabelled").onchange = ({ target }) => {
    store.set({ unlabelled: target.checked });
    collection.show();
  };
  find("speaker").onchange = ({ target }) => {
    workbench.current.speaker = target.value;
    store.save(workbench.current);
  };
  find("token").onsubmit = (event) => {
    event.preventDefault();
    api.token.set(new FormData(event.target).get("token"));
    loadModels();
  };
}

function connectFiles() {
  find("choose").onchange = ({ target }) => {
    add([...target.files]);
    target.value = "";
  };
  addEventListener("dragover", (event) => {
    event.preventDefault();
    find("drop").classList.add("over");
  });
  addEventListener("dragleave", () => find("drop").classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    find("drop").classList.remove("over");
    add([...event.dataTransfer.files]);
  });
  addEventListener("beforeunload", (event) => !store.saved && event.preventDefault());
  find("remove-all").onclick = () => collection.removeAll();
  find("back").onclick = () => (document.body.dataset.screen = "list");
  find("export").onclick = () => labels.export();
}

/** Shows what an earlier visit left. */
function restore() {
  const { order, unlabelled, current } = store.settings;
  find("order").value = order;
  find("unlabelled").checked = unlabelled;
  showAll();
  const recording = store.recordings.find(({ id }) => id === current) ?? store.recordings[0];
  if (recording) collection.open(recording);
}

async function load() {
  try {
    await store.load(await Database.open());
  } catch (error) { // as in private windows of some browsers
    store.problem = error.message;
  }
  showSaved();
}

async function start() {
  connectFiles();
  await loaded;
  claim(() => {
    store.release();
    find("problem").textContent = t("otherTab");
  });
  connectSettings();
  connectActions({ store, collection, labels, workbench });
  initHelp({ keys: store.settings.keys, changed: (keys) => store.set({ keys }) });
  initSamples(add);
  initLive({ model: () => store.settings.model, models: () => collection.models, add });
  collection.jobs.resume(); // before others are requested
  await loadModels();
  restore();
  adapt.resume();
}

const loaded = load();
start();
