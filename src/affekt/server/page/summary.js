/** Results as text. */

import { englishText, make } from "./dom.js";
import { emotion, noticeText, percent, t } from "./i18n.js";
import { labelShares, ranked, UNCERTAIN } from "./timeline.js";

const MARGIN = 0.15; // below which the second class is named too, as in affekt.types

const named = (label, share) => `${emotion(label)} ${percent(share)}`;

/** A label with its probability, and the second class if it is nearly as probable.
 * @param {{label: string, share: number, probabilities: Object<string, number>}} result */
export function shareText({ label, share, probabilities }) {
  if (!label || label === UNCERTAIN) return emotion(label);
  const [, second] = ranked(probabilities);
  const close = second && share - second[1] < MARGIN ? `, ${named(...second)}` : "";
  return named(label, share) + close;
}

function utterances(predictions) {
  const shares = labelShares(predictions).slice(0, 2);
  const labels = shares.map(([label, share]) => named(label, share)).join(", ");
  return t("utterances", { count: predictions.length, labels });
}

/** One line: the result, or the state of the job. @param {import("./jobs.js").Job} job */
export function summary(job) {
  if (!job) return t("waiting");
  if (job.status !== "done") {
    const state = t(job.status, { percent: Math.round(100 * job.progress) });
    return job.result ? t("soFar", { state, result: utterances(job.result) }) : state;
  }
  if (job.result.length > 1) return utterances(job.result);
  const [{ label, confidence, probabilities }] = job.result;
  return shareText({ label, share: confidence, probabilities });
}

/** The result of a model with its warnings, license and intended use. */
export function summaryBox({ name, intended_use, job }) {
  const box = make("div", { className: "summary" });
  box.append(make("p", { className: "result", textContent: summary(job) }));
  if (job?.status === "failed") box.append(englishText("p", job.error, { className: "error" }));
  const first = job?.result?.[0];
  if (!first || job.status === "running") { // no details that would close at the next result
    box.append(make("p", { className: "hint", textContent: name }));
    return box;
  }
  const reason = job.result.length === 1 ? noticeText(first.rejection_reason) : "";
  const notes = new Set(job.result.flatMap(({ warnings }) => warnings).map(noticeText));
  if (reason) notes.add(t("reason", { reason }));
  const text = [...notes].join(" · ");
  if (text) box.append(englishText("p", text, { className: "warning", title: text }));
  const { model, license } = first;
  const line = make("summary", { textContent: t("modelLine", { model, license }) });
  box.append(make("details", { className: "hint" }, line, englishText("p", intended_use)));
  return box;
}
