/** What all drawings share: canvases at the resolution of the screen, time to pixels, hatching. */

import { cssValue } from "./colours.js";

/** @typedef {{from: number, to: number}} Window  the seconds that are drawn */

/** Fits a canvas to its width in the layout.
 * @returns {{context: CanvasRenderingContext2D, width: number}} which draws in CSS pixels */
export function fitted(canvas, height) {
  const width = Math.max(canvas.parentElement.clientWidth, 1);
  const scale = devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  return { context, width };
}

/** @param {Window} window @returns {(time: number) => number} seconds to pixels */
export const toPixels = ({ from, to }, width) => (time) =>
  Math.round(((time - from) / (to - from)) * width);

/** Fills an area with the lines that stand for silence. */
export function hatch(context, left, top, width, height) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.strokeStyle = cssValue("--hatch");
  context.lineWidth = 1;
  context.beginPath();
  const step = 7;
  for (let x = left - (left % step) - height; x < left + width; x += step) {
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
  }
  context.stroke();
  context.restore();
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]; // s

/** Draws the time axis. @param {Window} window */
export function drawRuler(canvas, window) {
  const { context, width } = fitted(canvas, 18);
  const { from, to } = window;
  const x = toPixels(window, width);
  const step = STEPS.find((s) => (s / (to - from)) * width >= 56) ?? 7200;
  context.fillStyle = cssValue("--soft");
  for (let i = Math.ceil(from / step); i * step <= to; i += 1) {
    const left = x(i * step);
    context.fillRect(left, 0, 1, 5);
    const text = clock(i * step, step < 1 ? 1 : 0);
    if (left + 3 + context.measureText(text).width < width) context.fillText(text, left + 3, 11);
  }
}

/** Formats seconds: 75.5 as 1:15.50, 5.5 as 5.50. */
export function clock(seconds, digits = 2) {
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds - 60 * minutes).toFixed(digits);
  return minutes ? `${minutes}:${rest.padStart(digits ? 3 + digits : 2, "0")}` : rest;
}
