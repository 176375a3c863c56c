/**
 * The parts of a recording as rows: what the model found and what the user drew, nested by time.
 * @typedef {{key: string, start: number, end: number, channel: number, speaker: string,
 *   kind: "recording" | "utterance" | "run" | "drawn", label: string,
 *   probabilities: Object<string, number>, share: number, reason: string, depth: number,
 *   children: Row[], parent: Row | null}} Row  label: the model's, "" where it gives none; share:
 *   its probability; children: rows within it, folded at first
 */

import { decided, spanKey } from "./annotations.js";
import { labelRuns, mean, spansOf, UNCERTAIN } from "./timeline.js";

const SHORT = 30; // s; a shorter recording of several utterances is labelled as a whole
const ROUNDING = 1e-3; // s
const NONE = { channel: 0, speaker: "", label: "", probabilities: {}, share: 0, reason: "" };
const predicted = new WeakMap(); // rows of a result and its duration, by its array of predictions
const built = new WeakMap(); // the last result of `rowsOf`, by its array of annotations

const row = (kind, values) => ({ ...NONE, ...values, kind, key: spanKey({ ...NONE, ...values }) });

/** Rows of an utterance: the whole, and its runs of one label if there are several. */
function utteranceRows(prediction) {
  const { start, duration, label, confidence, probabilities, channel, speaker } = prediction;
  const place = { channel, speaker, reason: prediction.rejection_reason };
  const end = start + duration;
  const whole = row("utterance", { ...place, start, end, label, share: confidence, probabilities });
  const runs = labelRuns(spansOf(prediction)).map((run) => row("run", { ...place, ...run }));
  return runs.length > 1 ? [whole, ...runs] : [whole];
}

/** Rows of a result. @param {number} duration  0 while it is not known, as of a running job */
function predictedRows(predictions, duration) {
  const rows = predictions.flatMap(utteranceRows);
  if (predictions.length === 1 || !duration || duration > SHORT) return rows;
  const { label, probabilities, rejection_reason: reason } = mean(predictions);
  const share = Math.max(0, ...Object.values(probabilities));
  const span = { start: 0, end: duration };
  return [row("recording", { ...span, label, probabilities, share, reason }), ...rows];
}

/** Whether one row lies within another of the same voice. */
function within(inner, outer) {
  if (inner.start < outer.start - ROUNDING || inner.end > outer.end + ROUNDING) return false;
  const apart = (a, b) => a && b && a !== b;
  return !apart(inner.channel, outer.channel) && !apart(inner.speaker, outer.speaker);
}

/** Sorts rows by time, and nests those that lie within others. @returns {Row[]} the outermost */
function nested(rows) {
  const rank = ({ kind }) => ["recording", "utterance", "drawn", "run"].indexOf(kind);
  rows.sort((a, b) => a.start - b.start || b.end - a.end || rank(a) - rank(b));
  const outer = [];
  let open = []; // rows that may contain the next one, from the outermost on
  for (const one of rows) {
    open = open.filter(({ end }) => end > one.start + ROUNDING);
    const parent = open.findLast((other) => within(one, other)) ?? null;
    const placed = { ...one, parent, depth: parent ? parent.depth + 1 : 0, children: [] };
    (parent ? parent.children : outer).push(placed);
    open.push(placed);
  }
  return outer;
}

/** The rows of a recording.
 * @param {number} duration  seconds
 * @param {import("./timeline.js").Prediction[] | null} predictions  null until there is a result
 * @param {import("./annotations.js").Annotation[]} annotations @returns {Row[]} the outermost */
export function rowsOf(duration, predictions, annotations) {
  const last = built.get(annotations);
  if (last?.duration === duration && last.predictions === predictions) return last.rows;
  const found = foundRows(duration, predictions);
  const known = new Set(found.map(({ key }) => key));
  const drawn = annotations.filter((one) => !known.has(spanKey(one)));
  const rows = nested([...found, ...drawn.map(({ start, end, channel, speaker }) =>
    row("drawn", { start, end, channel, speaker }))]);
  built.set(annotations, { duration, predictions, rows });
  return rows;
}

/** What there is to label without annotations: the parts of a result, else the whole recording. */
function foundRows(duration, predictions) {
  if (!predictions?.length) return duration ? [row("recording", { start: 0, end: duration })] : [];
  if (predicted.get(predictions)?.duration !== duration) {
    predicted.set(predictions, { duration, rows: predictedRows(predictions, duration) });
  }
  return predicted.get(predictions).rows;
}

/** The rows that are shown: those of folded rows are not. @param {Set<string>} unfolded  keys
 * @returns {Row[]} */
export const shown = (rows, unfolded) =>
  rows.flatMap((one) => [one, ...(unfolded.has(one.key) ? shown(one.children, unfolded) : [])]);

/** What has to be labelled: each utterance of a long recording, a short recording as one.
 * @param {Row[]} rows @returns {Row[]} */
export const units = (rows) =>
  rows.flatMap((one) => {
    if (one.kind === "drawn") return units(one.children);
    return one.kind === "run" ? [] : [one]; // a run is part of its utterance
  });

/** Whether annotations decide at least half of a row. */
export function isDone({ start, end, channel }, annotations) {
  let [seconds, until] = [0, start];
  for (const one of annotations) {
    if (one.start >= end) break;
    if (!decided(one) || (channel && one.channel && channel !== one.channel)) continue;
    seconds += Math.max(0, Math.min(one.end, end) - Math.max(one.start, until));
    until = Math.max(until, Math.min(one.end, end));
  }
  return seconds >= (end - start) / 2 - ROUNDING;
}

/** The label of a model that covers most of a row. @param {{start: number, end: number,
 *   label: string}[]} runs  of that model, in the order of time */
export function dominantLabel(runs, { start, end }) {
  const seconds = new Map();
  for (const run of runs) {
    if (run.start >= end) break;
    const overlap = Math.min(run.end, end) - Math.max(run.start, start);
    if (overlap > 0) seconds.set(run.label, (seconds.get(run.label) ?? 0) + overlap);
  }
  return [...seconds].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}

/** Whether a row's label is one that a user can agree to. */
export const agreeable = ({ label }) => label !== "" && label !== UNCERTAIN;
