/** The user's labels, per recording, and their export as a manifest with its clips. */

import { cut, decode, RATE, wav } from "./sound.js";
import { zip } from "./zip.js";

const FOLDER = "corrections";
const COLUMNS = ["path", "label", "speaker", "source", "start", "end", "recognised", "model"];

/** @typedef {{start: number, end: number, label: string, recognised: string,
 *   model: string}} Label */

const key = ({ start, end }) => `${start.toFixed(3)}-${end.toFixed(3)}`;

/** Labels of one recording; no moment has two. */
export class Corrections {
  /** @type {Map<string, Label>} */
  spans = new Map();

  get(part) {
    return this.spans.get(key(part));
  }

  /** @param {Label} given  it replaces what overlaps with it */
  set(given) {
    for (const [other, { start, end }] of this.spans) {
      if (start < given.end - 1e-6 && end > given.start + 1e-6) this.spans.delete(other);
    }
    this.spans.set(key(given), given);
  }

  take(part) {
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

/** A file name for every system. */
const plain = (name) => name.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N}_-]+/gu, "_") || "clip";

/**
 * @param {{name: string, blob: Blob, speaker: string, corrections: Corrections}[]} entries
 * @returns {Promise<{blob: Blob, count: number, undecoded: string[]}>}  a ZIP of manifest.csv and
 *   16-bit WAV clips, in a folder of its own
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
    for (const { start, end, label, recognised, model } of corrections.all) {
      const number = String(clips.length + 1).padStart(4, "0");
      const path = `clips/${number}-${plain(name)}.wav`;
      clips.push([`${FOLDER}/${path}`, wav(cut(samples, start, end), RATE)]);
      const who = speaker.trim() || plain(name);
      const span = [start.toFixed(3), end.toFixed(3)];
      rows.push([path, label, who, name, ...span, recognised, model]);
    }
  }
  const table = rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
  const manifest = [`${FOLDER}/manifest.csv`, new TextEncoder().encode(table)];
  return { blob: zip([manifest, ...clips]), count: clips.length, undecoded };
}
