/** The keyboard map: one list of keys and what they do, from which the help is drawn too. */

/** @typedef {{action: string, keys: string[], shown?: string, control?: boolean}} Binding  keys: as
 *   in KeyboardEvent.key, letters in lower case; shown: in the help, by default the first key;
 *   control: whether it needs Ctrl or Cmd */

/** @type {[string, Binding[]][]} groups with the key of their title */
export const KEYS = [
  ["keysLabel", [
    { action: "label", keys: [], shown: "1 – 9" },
    { action: "agree", keys: ["Enter"], shown: "Enter" },
    { action: "unsure", keys: ["u"] },
    { action: "unusable", keys: ["x"] },
    { action: "clear", keys: ["0", "Backspace"], shown: "0" },
    { action: "undo", keys: ["z"] },
    { action: "redo", keys: ["Z", "y"], shown: "Shift + Z" },
    { action: "comment", keys: ["c"] },
  ]],
  ["keysMove", [
    { action: "down", keys: ["ArrowDown", "j"], shown: "↓ J" },
    { action: "up", keys: ["ArrowUp", "k"], shown: "↑ K" },
    { action: "unfold", keys: ["ArrowRight"], shown: "→" },
    { action: "fold", keys: ["ArrowLeft"], shown: "←" },
    { action: "next", keys: ["n", "PageDown"] },
    { action: "previous", keys: ["p", "PageUp"] },
    { action: "doubtful", keys: ["d"] },
    { action: "leave", keys: [], shown: "Tab" },
  ]],
  ["keysPlay", [
    { action: "repeat", keys: ["r"] },
    { action: "toggle", keys: [" "], shown: "Space" },
    { action: "stop", keys: ["Escape"], shown: "Esc" },
    { action: "loop", keys: ["l"] },
    { action: "slower", keys: [","] },
    { action: "faster", keys: ["."] },
  ]],
  ["keysSpans", [
    { action: "split", keys: ["s"] },
    { action: "merge", keys: ["m"] },
    { action: "startHere", keys: ["["] },
    { action: "endHere", keys: ["]"] },
    { action: "zoomIn", keys: ["+", "="], shown: "+" },
    { action: "zoomOut", keys: ["-", "_"], shown: "−" },
    { action: "spectrogram", keys: ["g"] },
    { action: "pitch", keys: ["h"] },
    { action: "help", keys: ["?"] },
  ]],
];

const BINDINGS = KEYS.flatMap(([, bindings]) => bindings);
const NATIVE = { Enter: "button, a, summary, select", " ": "button, a, summary, select",
  ArrowUp: "select", ArrowDown: "select", Backspace: "#files button" };

/** The action of a key press. @param {KeyboardEvent} event
 * @returns {{action: string, number: number} | null} number: of a label, from 1 on; null if the key
 *   has no action, or a meaning of its own where the focus is */
export function actionOf(event) {
  const { key, code, target } = event;
  if (target.closest("dialog, input:not([type=checkbox]), textarea")) return null;
  if (NATIVE[key] && target.closest(NATIVE[key])) return null;
  if (target.closest("select") && /^[\p{L}\p{N}]$/u.test(key)) return null; // finds an option
  if (event.ctrlKey || event.metaKey) return undoing(event);
  if (event.altKey) return null;
  const number = /^(?:Digit|Numpad)([1-9])$/.exec(code)?.[1]; // by code: AZERTY has them shifted
  if (number && !event.shiftKey) return { action: "label", number: Number(number) };
  const found = BINDINGS.find(({ keys }) => keys.includes(key)) ??
    (event.shiftKey ? null : BINDINGS.find(({ keys }) => keys.includes(key.toLowerCase())));
  return found ? { action: found.action, number: 0 } : null;
}

/** Ctrl+Z and Ctrl+Shift+Z, which other programs have taught. */
function undoing({ key, shiftKey }) {
  if (key.toLowerCase() !== "z") return null;
  return { action: shiftKey ? "redo" : "undo", number: 0 };
}
