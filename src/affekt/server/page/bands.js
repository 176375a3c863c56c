/** Draws predictions under the waveform: words, probabilities stacked per moment, attention. */

import { colour, ink, themed } from "./colours.js";
import { doubtful, stretches, UNCERTAIN } from "./moments.js";
import { emotion } from "./words.js";

export const HEIGHT = { words: 20, bands: 84, attention: 12, gap: 3 };
const WIDEST = 16000; // what browsers still draw

/** Fits a canvas to its width on the page, at the screen's resolution. */
function fitted(canvas, height) {
  const width = Math.max(canvas.parentElement.clientWidth, 1);
  const scale = Math.min(devicePixelRatio || 1, WIDEST / width);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.width = "100%";
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  return { context, width };
}

function stack(context, moment, { labels, left, right, top, height, ground }) {
  let bottom = top + height;
  for (const label of labels) {
    const tall = (moment.segment.probabilities[label] ?? 0) * height;
    context.fillStyle = colour(label);
    context.fillRect(left, bottom - tall, right - left, tall);
    if (tall > 3) { // a line between bands, for eyes that see the colours alike
      context.fillStyle = ground;
      context.fillRect(left, bottom - tall, right - left, 0.75);
    }
    bottom -= tall;
  }
}

/** A block in the colour of a class, with its name where there is room. */
function block(context, label, left, right, height) {
  const fill = label === UNCERTAIN ? themed("--doubt") : colour(label);
  context.fillStyle = fill;
  context.fillRect(left, 0, right - left - 1, height);
  context.fillStyle = ink(fill);
  const text = emotion(label);
  const room = right - left - 6;
  if (context.measureText(text).width <= room) context.fillText(text, left + 4, height / 2);
}

/** Blocks alone.
 * @param {HTMLCanvasElement} canvas
 * @param {{start: number, end: number, label: string}[]} labels */
export function drawLabels(canvas, labels, { from, to, height = HEIGHT.words }) {
  const { context, width } = fitted(canvas, height);
  const x = (time) => Math.round(((time - from) / (to - from)) * width);
  context.fillStyle = themed("--hollow");
  context.fillRect(0, 0, width, height);
  for (const { start, end, label } of labels) block(context, label, x(start), x(end), height);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./moments.js").Moment[]} moments  gaps between them stay empty
 * @param {{duration: number, labels: string[]}} how
 */
export function draw(canvas, moments, { duration, labels }) {
  const { words, bands, attention, gap } = HEIGHT;
  const height = words + gap + bands + gap + attention;
  const { context, width } = fitted(canvas, height);
  const x = (time) => Math.round((time / duration) * width);
  context.fillStyle = themed("--hollow");
  context.fillRect(0, 0, width, height);
  for (const { start, end, label } of stretches(moments)) {
    block(context, label, x(start), x(end), words);
  }
  const [ground, text] = [themed("--ground"), themed("--text")];
  const place = { labels, top: words + gap, height: bands, ground };
  for (const moment of moments) {
    const left = x(moment.start);
    const right = x(moment.end);
    context.globalAlpha = doubtful(moment) ? 0.45 : 1;
    stack(context, moment, { left, right, ...place });
    context.globalAlpha = moment.weight;
    context.fillStyle = text;
    context.fillRect(left, words + gap + bands + gap, right - left, attention);
    context.globalAlpha = 1;
  }
}

/** Seconds under the bands. */
export function ruler(canvas, duration) {
  const { context, width } = fitted(canvas, 18);
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((s) => (s / duration) * width >= 48) ?? 7200;
  context.fillStyle = themed("--text");
  for (let i = 0; i * step <= duration; i += 1) {
    const left = ((i * step) / duration) * width;
    context.fillRect(left, 0, 1, 5);
    const text = clock(i * step, step < 1 ? 1 : 0);
    const room = width - context.measureText(text).width;
    if (i === 0 || left + 3 < room) context.fillText(text, left + 3, 11);
  }
}

/** 75.5 as 1:15.5; seconds alone where there is no minute. */
export function clock(seconds, digits = 2) {
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds - 60 * minutes).toFixed(digits);
  return minutes ? `${minutes}:${rest.padStart(digits ? 3 + digits : 2, "0")}` : rest;
}
