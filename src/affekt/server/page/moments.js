/**
 * From predictions to what is drawn and listed: moments, and stretches of one label.
 * @typedef {{start: number, end: number, label: string, probabilities: Object<string, number>,
 *   attention: number}} Segment
 * @typedef {{start: number, duration: number, label: string, confidence: number,
 *   rejection_reason: string,
 *   segments: Segment[], probabilities: Object<string, number>, model: string, license: string,
 *   warnings: string[], channel: number}} Prediction
 * @typedef {{start: number, end: number, segment: Segment, weight: number,
 *   prediction: Prediction}} Moment  weight: attention, 1 for the most attended of the prediction
 * @typedef {{start: number, end: number, label: string, share: number, whole: boolean,
 *   reason: string, channel: number}} Part  share: its probability
 */

export const UNCERTAIN = "uncertain";

/** Segments overlap; each moment goes to the segment whose centre is nearest.
 * @param {Prediction} prediction @returns {Moment[]} */
function momentsOf(prediction) {
  const { segments, start, duration } = prediction;
  const centres = segments.map((s) => (s.start + s.end) / 2);
  const most = segments.reduce((least, s) => Math.max(least, s.attention), 1e-9);
  return segments.map((segment, i) => ({
    start: i ? (centres[i - 1] + centres[i]) / 2 : start,
    end: i + 1 < segments.length ? (centres[i] + centres[i + 1]) / 2 : start + duration,
    segment,
    weight: segment.attention / most,
    prediction,
  }));
}

/** @param {Prediction[]} predictions @returns {Moment[]} in the order of time */
export function timeline(predictions) {
  return predictions.flatMap(momentsOf).sort((a, b) => a.start - b.start);
}

/** @returns {Moment | undefined} what is heard at `time`; nothing where nobody speaks */
export function at(moments, time) {
  const last = moments.at(-1);
  return (
    moments.find((m) => m.start <= time && time < m.end) ??
    (last && time >= last.start && time <= last.end + 0.05 ? last : undefined)
  );
}

/** What the class of a segment has, or the first class where the label is none of them. */
export const top = ({ label, probabilities }) =>
  probabilities[label] ?? Math.max(...Object.values(probabilities));

export const doubtful = ({ prediction, segment }) =>
  prediction.label === UNCERTAIN || segment.label === UNCERTAIN;

/** Neighbouring moments with one label. @param {Moment[]} moments @returns {Part[]} */
export function stretches(moments) {
  const found = [];
  for (const moment of moments) {
    const { start, end, segment, prediction } = moment;
    const label = doubtful(moment) ? UNCERTAIN : segment.label;
    const share = top(segment) * (end - start);
    const last = found.at(-1);
    if (last?.prediction === prediction && last.label === label) {
      last.end = end;
      last.sum += share;
    } else {
      found.push({ start, end, label, sum: share, prediction });
    }
  }
  return found.map(({ start, end, label, sum, prediction }) => ({
    start,
    end,
    label,
    share: sum / (end - start),
    whole: false,
    reason: prediction.rejection_reason,
    channel: prediction.channel,
  }));
}

/** What can be heard and corrected: each utterance as a whole, then its stretches, unless it has
 * one only. @param {Prediction[]} predictions @returns {Part[]} */
export function parts(predictions) {
  return predictions.flatMap((prediction) => {
    const [whole, ...inner] = pieces(prediction);
    return inner.length > 1 ? [whole, ...inner] : [whole];
  });
}

/** An utterance as a whole, and all its stretches. @returns {Part[]} */
export function pieces(prediction) {
  const { start, duration, label, confidence: share, channel } = prediction;
  const whole = { start, end: start + duration, label, share, whole: true, reason: prediction.rejection_reason, channel };
  return [whole, ...stretches(momentsOf(prediction))];
}

/** The label that holds for most of a part. @param {Part[]} others  by another model */
export function mostly(others, part) {
  const seconds = new Map();
  for (const { label, start, end, whole } of others) {
    if (start >= part.end) break;
    if (whole !== part.whole) continue;
    const shared = Math.min(end, part.end) - Math.max(start, part.start);
    if (shared > 0) seconds.set(label, (seconds.get(label) ?? 0) + shared);
  }
  return [...seconds].sort((a, b) => b[1] - a[1])[0]?.[0] ?? "";
}
