/**
 * The user's annotations of a recording, and edits of them as changes that can be undone.
 * @typedef {{start: number, end: number, channel: number, speaker: string, label: string,
 *   mark: "" | "unsure" | "unusable", comment: string, recognised: string, model: string,
 *   drawn: boolean}} Annotation  recognised: what the model gave there; drawn: whether the user
 *   chose its times, so that it exists without a label
 * @typedef {{removed: Annotation[], added: Annotation[]}} Change
 */

export const SHORTEST = 0.05; // s

/** Identifies a span of a recording. */
export const spanKey = ({ start, end, channel = 0 }) =>
  `${start.toFixed(3)}-${end.toFixed(3)}-${channel}`;

/** The annotation of a span. @returns {Annotation | undefined} */
export const annotationOf = (annotations, span) => {
  const key = spanKey(span);
  return annotations.find((one) => spanKey(one) === key);
};

/** Whether an annotation says what its span is. */
export const decided = ({ label, mark }) => Boolean(label || mark);

const worthKeeping = (one) => one.drawn || decided(one) || one.comment !== "";

const EMPTY = { channel: 0, speaker: "", label: "", mark: "", comment: "", drawn: false };

/** Sets properties of the annotation of a span, which is created or, if it then says nothing,
 * removed. Annotations of other spans, such as parts of this one, stay as they are.
 * @param {Annotation[]} annotations @param {object} span  start, end, channel, speaker
 * @param {Partial<Annotation>} values @returns {Change} */
export function set(annotations, span, values) {
  const old = annotationOf(annotations, span);
  const { start, end, channel = 0, speaker = "" } = span;
  const base = old ?? { ...EMPTY, start, end, channel, speaker, recognised: "", model: "" };
  const changed = { ...base, ...values };
  return { removed: old ? [old] : [], added: worthKeeping(changed) ? [changed] : [] };
}

/** Gives a span other times. @returns {Change | null} null if they are invalid or taken */
export function move(annotations, span, start, end) {
  if (!(end - start >= SHORTEST)) return null;
  const { channel } = span;
  if (annotationOf(annotations, { start, end, channel })) return null;
  const { removed, added } = set(annotations, span, { drawn: true });
  return { removed, added: added.map((one) => ({ ...one, start, end })) };
}

/** Divides a span in two, both with its label. @returns {Change | null} null at its edges */
export function split(annotations, span, time) {
  const first = move(annotations, span, span.start, time);
  const second = move(annotations, span, time, span.end);
  if (!first || !second) return null;
  const rest = second.added.map((one) => ({ ...one, comment: "" }));
  return { removed: first.removed, added: [...first.added, ...rest] };
}

/** Joins two spans into one with the label of the first, or else of the second.
 * @returns {Change | null} null if the joined span exists already */
export function merge(annotations, one, other) {
  const pair = [one, other].map((span) => annotationOf(annotations, span));
  const start = Math.min(one.start, other.start);
  const end = Math.max(one.end, other.end);
  const own = pair.find((found) => found && decided(found)) ?? {};
  const joined = { channel: one.channel, speaker: one.speaker, start, end };
  if (annotationOf(annotations, joined)) return null;
  const comment = pair.map((found) => found?.comment).filter(Boolean).join("; ");
  const { added } = set(annotations, joined, { ...own, start, end, comment, drawn: true });
  return { removed: pair.filter(Boolean), added };
}

/** Applies a change. @param {Annotation[]} annotations @param {Change} change */
export function apply(annotations, { removed, added }) {
  const gone = new Set([...removed, ...added].map(spanKey));
  const rest = annotations.filter((one) => !gone.has(spanKey(one)));
  return [...rest, ...added].sort((a, b) => a.start - b.start || b.end - a.end);
}

/** The change that undoes another. @param {Change} change @returns {Change} */
export const inverse = ({ removed, added }) => ({ removed: added, added: removed });
