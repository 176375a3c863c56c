/**
 * From predictions to what is drawn and listed: spans of segments, and runs of one label.
 * @typedef {{start: number, end: number, label: string, probabilities: Object<string, number>,
 *   attention: number}} Segment
 * @typedef {{start: number, duration: number, label: string, confidence: number,
 *   rejection_reason: string, segments: Segment[], probabilities: Object<string, number>,
 *   model: string, license: string, warnings: string[], channel: number,
 *   speaker: string}} Prediction
 * @typedef {{start: number, end: number, segment: Segment, weight: number,
 *   prediction: Prediction}} Span  part of the time axis that shows a segment; weight: its
 *   attention relative to the largest of the prediction
 * @typedef {{start: number, end: number, label: string, share: number, whole: boolean,
 *   reason: string, channel: number, speaker: string, second: string | undefined}} Part  row of the
 *   table; share: probability of its label; second: the second class if it is nearly as probable
 */

export const UNCERTAIN = "uncertain";

/** Segments overlap: each time is shown by the segment whose centre is nearest.
 * @param {Prediction} prediction @returns {Span[]} */
function spansOf(prediction) {
  const { segments, start, duration } = prediction;
  const centres = segments.map((s) => (s.start + s.end) / 2);
  const largest = segments.reduce((max, s) => Math.max(max, s.attention), 1e-9);
  return segments.map((segment, i) => ({
    start: i ? (centres[i - 1] + centres[i]) / 2 : start,
    end: i + 1 < segments.length ? (centres[i] + centres[i + 1]) / 2 : start + duration,
    segment,
    weight: segment.attention / largest,
    prediction,
  }));
}

/** @param {Prediction[]} predictions @returns {Span[]} in the order of time */
export function timeline(predictions) {
  return predictions.flatMap(spansOf).sort((a, b) => a.start - b.start);
}

/** @returns {Span | undefined} the span that contains `time`; none in a pause */
export function spanAt(spans, time) {
  const last = spans.at(-1);
  return (
    spans.find((span) => span.start <= time && time < span.end) ??
    (last && time >= last.start && time <= last.end + 0.05 ? last : undefined)
  );
}

/** The probability of a segment's label; the largest one if the label is "uncertain". */
export const topProbability = ({ label, probabilities }) =>
  probabilities[label] ?? Math.max(...Object.values(probabilities));

export const isUncertain = ({ prediction, segment }) =>
  prediction.label === UNCERTAIN || segment.label === UNCERTAIN;

/** Merges neighbouring spans of one label. @param {Span[]} spans @returns {Part[]} */
export function labelRuns(spans) {
  const runs = [];
  for (const span of spans) {
    const { start, end, segment, prediction } = span;
    const label = isUncertain(span) ? UNCERTAIN : segment.label;
    const share = topProbability(segment) * (end - start);
    const last = runs.at(-1);
    if (last?.prediction === prediction && last.label === label) {
      last.end = end;
      last.sum += share;
    } else {
      runs.push({ start, end, label, sum: share, prediction });
    }
  }
  return runs.map(({ start, end, label, sum, prediction }) => ({
    start,
    end,
    label,
    share: sum / (end - start),
    whole: false,
    reason: prediction.rejection_reason,
    channel: prediction.channel,
    speaker: prediction.speaker,
  }));
}

/** The rows of the table: each utterance as a whole, then its runs if there are several.
 * @param {Prediction[]} predictions @returns {Part[]} */
export function parts(predictions) {
  return predictions.flatMap((prediction) => {
    const [whole, ...runs] = allParts(prediction);
    return runs.length > 1 ? [whole, ...runs] : [whole];
  });
}

/** An utterance as a whole, and all its runs. @param {Prediction} prediction @returns {Part[]} */
export function allParts(prediction) {
  const { start, duration, label, confidence, channel, speaker } = prediction;
  const [end, reason] = [start + duration, prediction.rejection_reason];
  const second = prediction.second_label;
  const whole = {
    start, end, label, share: confidence, whole: true, reason, channel, speaker, second,
  };
  return [whole, ...labelRuns(spansOf(prediction))];
}

/** The label that covers most of a part. @param {Part[]} others  parts under another model */
export function dominantLabel(others, part) {
  const seconds = new Map();
  for (const { label, start, end, whole } of others) {
    if (start >= part.end) break;
    if (whole !== part.whole) continue;
    const overlap = Math.min(end, part.end) - Math.max(start, part.start);
    if (overlap > 0) seconds.set(label, (seconds.get(label) ?? 0) + overlap);
  }
  return [...seconds].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}
