/** A job's result in words. */

import { make, said } from "./dom.js";
import { UNCERTAIN } from "./moments.js";
import { emotion, percent, remark, t } from "./words.js";

/** The result in a few words, or how far it is. @param {import("./jobs.js").Job} job */
export function summary(job) {
  if (!job) return t("waiting");
  if (job.status === "running") return t("running", { percent: Math.round(100 * job.progress) });
  if (job.status !== "done") return t(job.status);
  if (job.result.length > 1) {
    return t("utterances", { count: job.result.length, label: emotion(prevailing(job.result)) });
  }
  const [{ label, confidence }] = job.result;
  return label === UNCERTAIN ? emotion(label) : `${emotion(label)}, ${percent(confidence)}`;
}

function prevailing(predictions) {
  const seconds = {};
  for (const { label, duration } of predictions) seconds[label] = (seconds[label] ?? 0) + duration;
  return Object.entries(seconds).sort((a, b) => b[1] - a[1])[0][0];
}

/** A model's result in words, with all that it says against itself. */
export function described({ name, intended_use, job }) {
  const box = make("div", { className: "summary" });
  box.append(make("p", { className: "result", textContent: summary(job) }));
  if (job?.status === "failed") box.append(said("p", job.error, { className: "error" }));
  const first = job?.result?.[0];
  if (!first) {
    box.append(make("p", { className: "hint", textContent: name }));
    return box;
  }
  const reason = job.result.length === 1 ? remark(first.rejection_reason) : "";
  if (reason) box.append(said("p", t("because", { reason }), { className: "warning" }));
  for (const text of new Set(job.result.flatMap(({ warnings }) => warnings))) {
    box.append(said("p", remark(text), { className: "warning" }));
  }
  const { model, license } = first;
  const line = make("summary", { textContent: t("modelLine", { model, license }) });
  box.append(make("details", { className: "hint" }, line, said("p", intended_use)));
  return box;
}
