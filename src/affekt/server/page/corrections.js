/** Labels that the user assigned, and their export as a manifest with audio clips. */

import { cut, decode, RATE, wav } from "./audio.js";
import { zip } from "./zip.js";

const FOLDER = "corrections";
const COLUMNS = [
  "path", "label", "speaker", "source", "source_start", "source_end", "recognised", "model",
];

/** @typedef {{start: number, end: number, label: string, recognised: string,
 *   model: string, speaker: string | undefined}} Label  speaker: where voices were told apart */

const key = ({ start, end }) => `${start.toFixed(3)}-${end.toFixed(3)}`;

/** The user's labels of one recording; they do not overlap. */
export class Corrections {
  /** @type {Map<string, Label>} */
  spans = new Map();

  get(part) {
    return this.spans.get(key(part));
  }

  /** @param {Label} label  replaces labels that overlap with it */
  set(label) {
    for (const [other, { start, end }] of this.spans) {
      if (start < label.end - 1e-6 && end > label.start + 1e-6) this.spans.delete(other);
    }
    this.spans.set(key(label), label);
  }

  remove(part) {
    return this.spans.delete(key(part));
  }

  get all() {
    return [...this.spans.values()].sort((a, b) => a.start - b.start);
  }
}

const cell = (value) => {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** A file name that is valid on every system. */
const safeName = (name) => name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "_") || "clip";

/**
 * @param {{name: string, blob: Blob, speaker: string, corrections: Corrections}[]} entries
 * @returns {Promise<{blob: Blob, count: number, undecoded: string[]}>}  a ZIP
 *   with one folder of manifest.csv and 16-bit WAV clips; names of files that the browser could
 *   not decode
 */
export async function bundle(entries) {
  const rows = [COLUMNS];
  const clips = [];
  const undecoded = [];
  for (const { name, blob, speaker, corrections } of entries) {
    if (!corrections.all.length) continue;
    const samples = await decode(blob);
    if (!samples) {
      undecoded.push(name);
      continue;
    }
    for (const { start, end, label, recognised, model, speaker: voice } of corrections.all) {
      const number = String(clips.length + 1).padStart(4, "0");
      const path = `clips/${number}-${safeName(name)}.wav`;
      clips.push([`${FOLDER}/${path}`, wav(cut(samples, start, end), RATE)]);
      const speakerName = [speaker.trim() || safeName(name), voice].filter(Boolean).join(" ");
      const span = [start.toFixed(3), end.toFixed(3)];
      rows.push([path, label, speakerName, name, ...span, recognised, model]);
    }
  }
  const table = rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  const manifest = [`${FOLDER}/manifest.csv`, new TextEncoder().encode(table)];
  return { blob: zip([manifest, ...clips]), count: clips.length, undecoded };
}
