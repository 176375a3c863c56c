/** The waveform: peaks at one resolution for the overview, and drawing of any window. */

import { RATE } from "./audio.js";
import { fitted, toPixels } from "./canvas.js";
import { cssValue } from "./colours.js";

const BUCKET = 256; // samples of one peak, 16 ms

/** What is drawn of samples. @param {Float32Array} samples @returns {{samples: Float32Array,
 *   peaks: Float32Array, loudest: number}} peaks: largest magnitude of each bucket */
export function soundOf(samples) {
  const peaks = new Float32Array(Math.ceil(samples.length / BUCKET));
  for (let i = 0; i < samples.length; i += 1) {
    const bucket = (i / BUCKET) | 0;
    const magnitude = Math.abs(samples[i]);
    if (magnitude > peaks[bucket]) peaks[bucket] = magnitude;
  }
  return { samples, peaks, loudest: peaks.reduce((max, peak) => Math.max(max, peak), 0.05) };
}

/** Draws one column for each pixel: from samples where a column has few, else from peaks.
 * @param {CanvasRenderingContext2D} context
 * @param {ReturnType<soundOf>} sound
 * @param {{window: import("./canvas.js").Window, width: number, height: number}} area */
export function drawWaveform(context, { samples, peaks, loudest }, { window, width, height }) {
  const { from, to } = window;
  const fine = ((to - from) * RATE) / width < 2 * BUCKET;
  const [values, rate] = fine ? [samples, RATE] : [peaks, RATE / BUCKET];
  context.fillStyle = cssValue("--wave");
  const step = ((to - from) * rate) / width;
  for (let x = 0; x < width; x += 1) {
    const first = Math.max(0, Math.floor(from * rate + x * step));
    const next = Math.max(first + 1, Math.floor(from * rate + (x + 1) * step));
    const last = Math.min(values.length, next);
    let peak = 0;
    for (let i = first; i < last; i += 1) peak = Math.max(peak, Math.abs(values[i]));
    const tall = Math.max(1, (peak / loudest) * (height - 4));
    context.fillRect(x, (height - tall) / 2, 1, tall);
  }
}

/** @param {HTMLCanvasElement} canvas
 * @param {ReturnType<soundOf> | null} sound  null: only the span is drawn
 * @param {{window: import("./canvas.js").Window, height: number,
 *   span: {start: number, end: number} | null}} area  span: the selected part */
export function drawWave(canvas, sound, { window, height, span }) {
  const { context, width } = fitted(canvas, height);
  if (span) {
    const x = toPixels(window, width);
    context.fillStyle = cssValue("--selected");
    context.fillRect(x(span.start), 0, x(span.end) - x(span.start), height);
  }
  if (sound) drawWaveform(context, sound, { window, width, height });
}
