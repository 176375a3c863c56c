/** Draws predictions and annotations over time: labels, stacked probabilities, attention. */

import { fitted, hatch, toPixels } from "./canvas.js";
import { colour, cssValue, textColour } from "./colours.js";
import { decided } from "./annotations.js";
import { emotion, t } from "./i18n.js";
import { firstAfter, isUncertain, labelRuns, UNCERTAIN } from "./timeline.js";

const LABELS = 18; // px
const BANDS = 48;
const ATTENTION = 6;
const GAP = 2;
export const LANE = LABELS + BANDS + ATTENTION + 2 * GAP;
const OWN = 20;

/** Those of some spans that a window shows. */
const inWindow = (spans, { from, to }) => {
  const found = [];
  for (let i = firstAfter(spans, from); i < spans.length && spans[i].start < to; i += 1) {
    found.push(spans[i]);
  }
  return found;
};

/** Draws a block with a text if it fits. */
function block(context, { left, right, height, fill, text }) {
  context.fillStyle = fill;
  context.fillRect(left, 0, Math.max(right - left - 1, 1), height);
  context.fillStyle = fill.startsWith("#") ? textColour(fill) : cssValue("--text");
  const start = Math.max(left, 0);
  if (text && context.measureText(text).width <= right - start - 8) {
    context.fillText(text, start + 4, height / 2);
  }
}

const fillOf = (label) => (label === UNCERTAIN ? cssValue("--uncertain") : colour(label));

/** Draws labels only. @param {{start: number, end: number, label: string}[]} runs */
export function drawRuns(context, runs, x, height, { named = true } = {}) {
  for (const { start, end, label } of runs) {
    const fill = fillOf(label);
    const text = named ? emotion(label) : "";
    block(context, { left: x(start), right: x(end), height, fill, text });
  }
}

/** Draws the user's annotations. @param {import("./annotations.js").Annotation[]} annotations
 * @param {import("./canvas.js").Window} window */
export function drawAnnotations(canvas, annotations, window) {
  const { context, width } = fitted(canvas, OWN);
  const x = toPixels(window, width);
  // The longest first, so that labels of parts lie over the label of the whole.
  const order = annotations.toSorted((a, b) => b.end - b.start - (a.end - a.start));
  for (const { start, end, label, mark, comment } of order) {
    if (end < window.from || start > window.to) continue;
    const [left, right] = [x(start), x(end)];
    const text = (mark ? t(mark) : emotion(label)) + (comment ? " ✎" : "");
    context.clearRect(left, 0, right - left, OWN);
    if (!decided({ label, mark }) || mark) {
      context.strokeStyle = context.fillStyle = cssValue("--text");
      context.strokeRect(left + 0.5, 0.5, Math.max(right - left - 2, 1), OWN - 1);
      const fits = context.measureText(text).width <= right - left - 8;
      if (fits) context.fillText(text, left + 4, OWN / 2);
    } else {
      block(context, { left, right, height: OWN, fill: colour(label), text });
    }
  }
}

function stack(context, span, { labels, left, right, ground }) {
  let bottom = LABELS + GAP + BANDS;
  for (const label of labels) {
    const tall = (span.segment.probabilities[label] ?? 0) * BANDS;
    context.fillStyle = colour(label);
    context.fillRect(left, bottom - tall, right - left, tall);
    if (tall > 3) { // a line between bands, for colour-blind users
      context.fillStyle = ground;
      context.fillRect(left, bottom - tall, right - left, 0.75);
    }
    bottom -= tall;
  }
}

/** Draws the predictions of one model and voice; gaps between them are hatched.
 * @param {import("./timeline.js").Span[]} spans  in the order of time
 * @param {{window: import("./canvas.js").Window, labels: string[], until: number}} options  until:
 *   the time up to which the recording was recognised */
export function drawLane(canvas, spans, { window, labels, until }) {
  const { context, width } = fitted(canvas, LANE);
  const x = toPixels(window, width);
  const visible = inWindow(spans, window);
  const [ground, text] = [cssValue("--ground"), cssValue("--text")];
  hatch(context, 0, 0, Math.max(0, Math.min(width, x(until))), LANE);
  for (const { start, end } of visible) {
    context.clearRect(x(start), 0, x(end) - x(start), LANE);
  }
  drawRuns(context, labelRuns(visible), x, LABELS);
  for (const span of visible) {
    const [left, right] = [x(span.start), x(span.end)];
    context.globalAlpha = isUncertain(span) ? 0.3 : 1; // pale where the model gives no emotion
    stack(context, span, { labels, left, right, ground });
    context.globalAlpha = span.weight;
    context.fillStyle = text;
    context.fillRect(left, LANE - ATTENTION, right - left, ATTENTION);
    context.globalAlpha = 1;
  }
}
