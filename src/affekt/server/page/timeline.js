/**
 * From predictions to what is drawn: spans of segments, and runs of one label.
 * @typedef {{start: number, end: number, label: string, probabilities: Object<string, number>,
 *   attention: number}} Segment
 * @typedef {{start: number, duration: number, label: string, confidence: number,
 *   rejection_reason: string, segments: Segment[], probabilities: Object<string, number>,
 *   model: string, license: string, warnings: string[], channel: number, second_label: string,
 *   speaker: string}} Prediction
 * @typedef {{start: number, end: number, segment: Segment, weight: number,
 *   prediction: Prediction}} Span  part of the time axis that shows a segment; weight: its
 *   attention relative to the largest of the prediction
 */

export const UNCERTAIN = "uncertain";

/** Segments overlap: each time is shown by the segment whose centre is nearest.
 * @param {Prediction} prediction @returns {Span[]} */
export function spansOf(prediction) {
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

/** The time up to which a job has recognised its recording.
 * @param {import("./jobs.js").Job} job  with predictions */
export const recognisedUntil = ({ status, result }) =>
  Math.max(status === "done" ? Infinity : 0, ...result.map((one) => one.start + one.duration));

/** Index of the first span that ends after `time`. @param {{end: number}[]} spans */
export function firstAfter(spans, time) {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle].end > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** @returns {Span | undefined} the span that contains `time`; none in a pause */
export function spanAt(spans, time) {
  const span = spans[firstAfter(spans, time)];
  if (span) return span.start <= time ? span : undefined;
  const last = spans.at(-1);
  return last && time <= last.end + 0.05 ? last : undefined;
}

/** The probability of a segment's label; the largest one if the label is "uncertain". */
export const topProbability = ({ label, probabilities }) =>
  probabilities[label] ?? Math.max(...Object.values(probabilities));

export const isUncertain = ({ prediction, segment }) =>
  prediction.label === UNCERTAIN || segment.label === UNCERTAIN;

/** Merges neighbouring spans of one label. @param {Span[]} spans
 * @returns {{start: number, end: number, label: string, share: number}[]} share: its probability */
export function labelRuns(spans) {
  const runs = [];
  for (const span of spans) {
    const { start, end, segment, prediction } = span;
    const label = isUncertain(span) ? UNCERTAIN : segment.label;
    const sum = topProbability(segment) * (end - start);
    const last = runs.at(-1);
    if (last?.prediction === prediction && last.label === label) {
      last.end = end;
      last.sum += sum;
    } else {
      runs.push({ start, end, label, sum, prediction });
    }
  }
  return runs.map(({ sum, prediction, ...run }) => {
    return { ...run, share: sum / (run.end - run.start) };
  });
}

/** The classes of probabilities from the most to the least probable.
 * @returns {[string, number][]} */
export const ranked = (probabilities) =>
  Object.entries(probabilities).sort((a, b) => b[1] - a[1]);

/** The mean of utterances, weighted by duration; uncertain ones count only if all are uncertain.
 * @param {Prediction[]} predictions @returns {{label: string, probabilities: object,
 *   rejection_reason: string}} the same as the server gives for a whole recording */
export function mean(predictions) {
  const certain = predictions.filter(({ label }) => label !== UNCERTAIN);
  const counted = certain.length ? certain : predictions;
  const probabilities = {};
  const seconds = counted.reduce((sum, { duration }) => sum + duration, 0) || 1;
  for (const { duration, probabilities: own } of counted) {
    for (const [label, share] of Object.entries(own)) {
      probabilities[label] = (probabilities[label] ?? 0) + (share * duration) / seconds;
    }
  }
  const label = certain.length ? (ranked(probabilities)[0]?.[0] ?? UNCERTAIN) : UNCERTAIN;
  const reason = certain.length ? "" : (predictions[0]?.rejection_reason ?? "");
  return { label, probabilities, rejection_reason: reason };
}

/** Share of the speaking time of each label, the largest first. @param {Prediction[]} predictions
 * @returns {[string, number][]} */
export function labelShares(predictions) {
  const seconds = {};
  for (const { label, duration } of predictions) seconds[label] = (seconds[label] ?? 0) + duration;
  const all = predictions.reduce((sum, { duration }) => sum + duration, 0) || 1;
  return ranked(seconds).map(([label, time]) => [label, time / all]);
}
