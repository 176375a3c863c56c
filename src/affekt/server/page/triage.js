/** Which recordings to label first: the most doubtful, or those on which two models differ. */

import { isDone, rowsOf, units } from "./rows.js";
import { mean, UNCERTAIN } from "./timeline.js";

/** Doubt about a prediction: 1 where it is uncertain, else 1 less its largest probability. */
const doubt = ({ label, probabilities }) =>
  label === UNCERTAIN ? 1 : 1 - Math.max(0, ...Object.values(probabilities));

/** Doubt about a recording: that about its most doubtful utterance.
 * @param {import("./timeline.js").Prediction[] | null} predictions  null counts as no doubt */
export const recordingDoubt = (predictions) => Math.max(-1, ...(predictions ?? []).map(doubt));

/** Total variation distance of two models' mean probabilities over a recording, 0 to 1; -1 until
 * both have a result. */
export function disagreement(predictions, others) {
  if (!predictions || !others) return -1;
  const [one, other] = [mean(predictions), mean(others)];
  const labels = new Set([...Object.keys(one.probabilities), ...Object.keys(other.probabilities)]);
  const difference = (label) =>
    Math.abs((one.probabilities[label] ?? 0) - (other.probabilities[label] ?? 0));
  return [...labels].reduce((sum, label) => sum + difference(label), 0) / 2;
}

/** Sorts recordings. @param {object[]} recordings @param {"added" | "doubt" | "disagreement"} order
 * @param {(recording: object) => object[] | null} first  predictions of the selected model
 * @param {(recording: object) => object[] | null} second  those of the model to compare with */
export function ordered(recordings, order, first, second) {
  if (order === "added") return recordings;
  const value = order === "doubt"
    ? (recording) => recordingDoubt(first(recording))
    : (recording) => disagreement(first(recording), second(recording));
  const values = new Map(recordings.map((recording) => [recording, value(recording)]));
  return recordings.toSorted((a, b) => values.get(b) - values.get(a));
}

/** How many parts of a recording are labelled. @returns {{done: number, all: number}} */
export function progress(recording, predictions) {
  const all = units(rowsOf(recording.duration, predictions, recording.annotations));
  const done = all.filter((unit) => isDone(unit, recording.annotations));
  return { done: done.length, all: Math.max(all.length, 1) };
}
