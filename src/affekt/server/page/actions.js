/** What keys and buttons do. */

import { find } from "./dom.js";
import { actionOf } from "./keys.js";

const press = (id, pressed) => find(id).setAttribute("aria-pressed", String(pressed));

/** Selects the next speed of the list, or the previous one. @param {1 | -1} by */
function changeSpeed(by) {
  const speed = find("speed");
  const index = speed.selectedIndex + by;
  if (index < 0 || index >= speed.length) return;
  speed.selectedIndex = index;
  speed.dispatchEvent(new Event("change"));
}

/** The actions of the keyboard map, by name. */
function actionsOf({ collection, labels, workbench }) {
  const { detail, editor, player } = workbench;
  const toggle = (name) => {
    detail.toggle(name);
    press(name, detail.spectrum[name]);
  };
  return {
    label: (number) => editor.labelNumber(number),
    agree: () => editor.agree(),
    unsure: () => editor.mark("unsure"),
    unusable: () => editor.mark("unusable"),
    clear: () => editor.clear(),
    undo: () => labels.undo("undo"),
    redo: () => labels.undo("redo"),
    comment: () => find("comment").focus(),
    down: () => workbench.step(1),
    up: () => workbench.step(-1),
    unfold: () => workbench.unfoldSelected(),
    fold: () => workbench.foldSelected(),
    next: () => collection.step(1),
    previous: () => collection.step(-1),
    doubtful: () => collection.openDoubtful(),
    repeat: () => workbench.repeat(),
    toggle: () => player.toggle(),
    stop: () => player.pause(),
    loop: () => press("loop", (player.loop = !player.loop)),
    slower: () => changeSpeed(-1),
    faster: () => changeSpeed(1),
    split: () => editor.split(),
    merge: () => editor.merge(),
    startHere: () => editor.edgeHere("start"),
    endHere: () => editor.edgeHere("end"),
    zoomIn: () => detail.zoomIn(),
    zoomOut: () => detail.zoomOut(),
    spectrogram: () => toggle("spectrogram"),
    pitch: () => toggle("pitch"),
    help: () => find("help").showModal(),
  };
}

const BUTTONS = { // id: action
  undo: "undo", split: "split", merge: "merge", play: "toggle", loop: "loop",
  previous: "previous", next: "next", spectrogram: "spectrogram", pitch: "pitch",
  "zoom-in": "zoomIn", "zoom-out": "zoomOut", "help-open": "help",
};

/** @param {{store: object, collection: object, labels: object, workbench: object}} app */
export function connectActions(app) {
  const { store, workbench } = app;
  const actions = actionsOf(app);
  for (const [id, name] of Object.entries(BUTTONS)) find(id).onclick = actions[name];
  find("speed").onchange = ({ target }) => (workbench.player.speed = Number(target.value));
  find("comment").onchange = ({ target }) => workbench.editor.comment(target.value);
  find("comment").onkeydown = ({ key }) => {
    if (key === "Enter" || key === "Escape") find("table").focus();
  };
  addEventListener("keydown", (event) => {
    const found = actionOf(event);
    if (!found || document.querySelector("dialog[open]")) return;
    const single = store.settings.keys || event.target.closest("#table");
    const possible = found.action === "help" || document.body.dataset.view === "recording";
    if (!single || !possible) return;
    event.preventDefault();
    actions[found.action](found.number);
  });
}
