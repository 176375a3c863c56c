/** The result of a job as text. */

import { englishText, make } from "./dom.js";
import { UNCERTAIN } from "./timeline.js";
import { emotion, noticeText, percent, t } from "./i18n.js";

/** One line: the result, or the state of the job. @param {import("./jobs.js").Job} job */
export function summary(job) {
  if (!job) return t("waiting");
  if (job.status === "running") return t("running", { percent: Math.round(100 * job.progress) });
  if (job.status !== "done") return t(job.status);
  if (job.result.length > 1) {
    return t("utterances", { count: job.result.length, label: emotion(longestLabel(job.result)) });
  }
  const [{ label, confidence }] = job.result;
  return label === UNCERTAIN ? emotion(label) : `${emotion(label)}, ${percent(confidence)}`;
}

function longestLabel(predictions) {
  const seconds = {};
  for (const { label, duration } of predictions) seconds[label] = (seconds[label] ?? 0) + duration;
  return Object.entries(seconds).sort((a, b) => b[1] - a[1])[0][0];
}

/** The result of a model with its warnings, license and intended use. */
export function summaryBox({ name, intended_use, job }) {
  const box = make("div", { className: "summary" });
  box.append(make("p", { className: "result", textContent: summary(job) }));
  if (job?.status === "failed") box.append(englishText("p", job.error, { className: "error" }));
  const first = job?.result?.[0];
  if (!first) {
    box.append(make("p", { className: "hint", textContent: name }));
    return box;
  }
  const reason = job.result.length === 1 ? noticeText(first.rejection_reason) : "";
  if (reason) box.append(englishText("p", t("reason", { reason }), { className: "warning" }));
  for (const text of new Set(job.result.flatMap(({ warnings }) => warnings))) {
    box.append(englishText("p", noticeText(text), { className: "warning" }));
  }
  const { model, license } = first;
  const line = make("summary", { textContent: t("modelLine", { model, license }) });
  box.append(make("details", { className: "hint" }, line, englishText("p", intended_use)));
  return box;
}
