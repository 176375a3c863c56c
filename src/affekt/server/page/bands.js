/** Draws predictions below the waveform: labels, stacked probabilities, and attention. */

import { colour, cssValue, textColour } from "./colours.js";
import { isUncertain, labelRuns, UNCERTAIN } from "./timeline.js";
import { emotion } from "./i18n.js";

export const HEIGHT = { labels: 20, bands: 84, attention: 12, gap: 3 };
const MAX_WIDTH = 16000; // pixels of a canvas that browsers still draw

/** Resizes a canvas to the width of its parent at the resolution of the screen. */
function fitted(canvas, height) {
  const width = Math.max(canvas.parentElement.clientWidth, 1);
  const scale = Math.min(devicePixelRatio || 1, MAX_WIDTH / width);
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

function stack(context, span, { labels, left, right, top, height, ground }) {
  let bottom = top + height;
  for (const label of labels) {
    const tall = (span.segment.probabilities[label] ?? 0) * height;
    context.fillStyle = colour(label);
    context.fillRect(left, bottom - tall, right - left, tall);
    if (tall > 3) { // a line between bands, for colour-blind users
      context.fillStyle = ground;
      context.fillRect(left, bottom - tall, right - left, 0.75);
    }
    bottom -= tall;
  }
}

/** Draws a block in the colour of a class, with its name if it fits. */
function block(context, label, left, right, height) {
  const fill = label === UNCERTAIN ? cssValue("--uncertain") : colour(label);
  context.fillStyle = fill;
  context.fillRect(left, 0, right - left - 1, height);
  context.fillStyle = textColour(fill);
  const text = emotion(label);
  const room = right - left - 6;
  if (context.measureText(text).width <= room) context.fillText(text, left + 4, height / 2);
}

/** Draws labels only.
 * @param {HTMLCanvasElement} canvas
 * @param {{start: number, end: number, label: string}[]} labels */
export function drawLabels(canvas, labels, { from, to, height = HEIGHT.labels }) {
  const { context, width } = fitted(canvas, height);
  const x = (time) => Math.round(((time - from) / (to - from)) * width);
  context.fillStyle = cssValue("--hollow");
  context.fillRect(0, 0, width, height);
  for (const { start, end, label } of labels) block(context, label, x(start), x(end), height);
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("./timeline.js").Span[]} spans  gaps between them are left empty
 * @param {{duration: number, labels: string[]}} options
 */
export function drawPrediction(canvas, spans, { duration, labels }) {
  const { labels: labelHeight, bands, attention, gap } = HEIGHT;
  const height = labelHeight + gap + bands + gap + attention;
  const { context, width } = fitted(canvas, height);
  const x = (time) => Math.round((time / duration) * width);
  context.fillStyle = cssValue("--hollow");
  context.fillRect(0, 0, width, height);
  for (const { start, end, label } of labelRuns(spans)) {
    block(context, label, x(start), x(end), labelHeight);
  }
  const [ground, text] = [cssValue("--ground"), cssValue("--text")];
  const bounds = { labels, top: labelHeight + gap, height: bands, ground };
  for (const span of spans) {
    const left = x(span.start);
    const right = x(span.end);
    context.globalAlpha = isUncertain(span) ? 0.45 : 1;
    stack(context, span, { left, right, ...bounds });
    context.globalAlpha = span.weight;
    context.fillStyle = text;
    context.fillRect(left, labelHeight + gap + bands + gap, right - left, attention);
    context.globalAlpha = 1;
  }
}

/** Draws the time axis. */
export function ruler(canvas, duration) {
  const { context, width } = fitted(canvas, 18);
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((s) => (s / duration) * width >= 48) ?? 7200;
  context.fillStyle = cssValue("--text");
  for (let i = 0; i * step <= duration; i += 1) {
    const left = ((i * step) / duration) * width;
    context.fillRect(left, 0, 1, 5);
    const text = clock(i * step, step < 1 ? 1 : 0);
    const room = width - context.measureText(text).width;
    if (i === 0 || left + 3 < room) context.fillText(text, left + 3, 11);
  }
}

/** Formats seconds: 75.5 as 1:15.5, 5.5 as 5.5. */
export function clock(seconds, digits = 2) {
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds - 60 * minutes).toFixed(digits);
  return minutes ? `${minutes}:${rest.padStart(digits ? 3 + digits : 2, "0")}` : rest;
}
