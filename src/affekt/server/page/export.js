/** Export of annotations: a manifest with audio clips, and all of them as JSON to import again. */

import { cut, decode, RATE, samplesOf, wav } from "./audio.js";
import { decided } from "./annotations.js";
import { zip } from "./zip.js";

const FOLDER = "corrections";
export const JSON_NAME = `${FOLDER}/labels.json`;
export const FORMAT = "affekt-labels";
const ROUNDING = 1e-3; // s
const COLUMNS = [
  "path", "label", "speaker", "source", "source_start", "source_end", "recognised", "model",
  "comment",
];

/** Whether an annotation is a training example: it has a class, so it is not marked. */
const isExample = ({ label, mark }) => label !== "" && mark === "";

/** The training examples of a recording. */
const examples = ({ annotations }) => annotations.filter(isExample);

const overlap = (one, other) =>
  one.start < other.end - ROUNDING && other.start < one.end - ROUNDING &&
  (!one.channel || !other.channel || one.channel === other.channel);

/** The training examples of a recording without those that contain others: a score on one of two
 * that overlap, after training on the other, would be too high. */
export function separateExamples(recording) {
  const chosen = [];
  const length = ({ start, end }) => end - start;
  for (const one of examples(recording).toSorted((a, b) => length(a) - length(b))) {
    if (!chosen.some((other) => overlap(one, other))) chosen.push(one);
  }
  return chosen;
}

/** What a model can be adapted to. @param {import("./store.js").Recording[]} recordings
 * @returns {{counts: Map<string, number>, speakers: Set<string>}} counts: by label */
export function material(recordings) {
  const [counts, speakers] = [new Map(), new Set()];
  for (const recording of recordings) {
    for (const one of separateExamples(recording)) {
      counts.set(one.label, (counts.get(one.label) ?? 0) + 1);
      speakers.add(speakerOf(recording, one));
    }
  }
  return { counts, speakers };
}

/** How many training examples recordings have. */
export const countExamples = (recordings) =>
  recordings.reduce((sum, recording) => sum + examples(recording).length, 0);

/** Whether recordings have anything to export. */
export const hasLabels = (recordings) =>
  recordings.some(({ annotations }) => annotations.some((one) => decided(one) || one.comment));

/** A cell of CSV; text that a spreadsheet would read as a formula gets an apostrophe in front. */
function cell(value) {
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A file name that is valid on every system. */
const safeName = (name) =>
  name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "_") || "clip";

/** The name of a speaker: of the recording, and of the voice where there are several. */
const speakerOf = ({ speaker, name }, { channel, speaker: voice }) =>
  [speaker.trim() || safeName(name), channel && `channel ${channel}`, voice]
    .filter(Boolean).join(" ");

/** The clips and rows of one recording. @param {number} first  number of its first clip
 * @param {import("./annotations.js").Annotation[]} examples  what to export of it
 * @returns {Promise<{clips: [string, Uint8Array][], rows: string[][]} | null>} null if the browser
 *   cannot decode it */
async function clipsOf(recording, first, examples) {
  if (!examples.length) return { clips: [], rows: [] };
  const buffer = await decode(recording.blob);
  if (!buffer) return null;
  const sounds = new Map(); // by channel
  for (const { channel } of examples) {
    if (!sounds.has(channel)) sounds.set(channel, samplesOf(buffer, channel));
  }
  const paths = examples.map((_, i) =>
    `clips/${String(first + i).padStart(4, "0")}-${safeName(recording.name)}.wav`);
  return {
    clips: examples.map(({ start, end, channel }, i) => [
      `${FOLDER}/${paths[i]}`, wav(cut(sounds.get(channel), start, end), RATE),
    ]),
    rows: examples.map((one, i) => [
      paths[i], one.label, speakerOf(recording, one), recording.name, one.start.toFixed(3),
      one.end.toFixed(3), one.recognised, one.model, one.comment,
    ]),
  };
}

/**
 * @param {import("./store.js").Recording[]} recordings @param {string[]} classes  the user's own
 * @param {(recording: object) => object[]} choose  the examples of a recording to export
 * @returns {Promise<{blob: Blob, count: number, undecoded: string[]}>}  a ZIP with one folder of
 *   manifest.csv, 16-bit WAV clips and labels.json; names of files that the browser cannot decode
 */
export async function exported(recordings, classes, choose = examples) {
  const [rows, clips, undecoded] = [[COLUMNS], [], []];
  for (const recording of recordings) {
    const found = await clipsOf(recording, clips.length + 1, choose(recording));
    if (!found) undecoded.push(recording.name);
    rows.push(...(found?.rows ?? []));
    clips.push(...(found?.clips ?? []));
  }
  const table = rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  const all = recordings.filter(({ annotations }) => annotations.length);
  const labels = {
    format: FORMAT,
    version: 1,
    classes,
    recordings: all.map(({ name, bytes, speaker, annotations }) => {
      return { name, bytes, speaker, annotations };
    }),
  };
  const bytes = (text) => new TextEncoder().encode(text);
  const files = [
    [`${FOLDER}/manifest.csv`, bytes(table)],
    [JSON_NAME, bytes(`${JSON.stringify(labels, null, 1)}\n`)],
    ...clips,
  ];
  return { blob: zip(files), count: clips.length, undecoded };
}
