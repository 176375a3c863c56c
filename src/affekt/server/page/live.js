/** The record button, and the live result while it records. */

import { drawLabels } from "./bands.js";
import { find } from "./dom.js";
import { labelRuns, timeline, topProbability, UNCERTAIN } from "./timeline.js";
import { Recorder } from "./record.js";
import { emotion, percent, t } from "./i18n.js";

const WINDOW = 10; // s shown
const TICK = 240; // ms between updates, the hop of live segments

const describe = (segment) =>
  segment.label === UNCERTAIN
    ? emotion(UNCERTAIN)
    : `${emotion(segment.label)} ${percent(topProbability(segment))}`;

/** @param {{model: () => string, add: (files: File[]) => void}} page */
export function initRecording(page) {
  const button = find("record");
  let recorder = null;
  let segments = [];
  let timer = 0;

  const problem = (text) => (find("record-problem").textContent = text);

  const show = () => {
    const last = segments.at(-1);
    const label = last && recorder.live ? describe(last) : t(recorder.state);
    find("live-text").textContent = t("live", { seconds: recorder.seconds.toFixed(1), label });
    const to = Math.max(last?.end ?? 0, WINDOW);
    const start = segments[0]?.start ?? 0;
    const prediction = { start, duration: (last?.end ?? 0) - start, segments, label: "" };
    const runs = labelRuns(timeline([prediction]));
    drawLabels(find("live-bands"), runs, { from: to - WINDOW, to, height: 34 });
  };

  const begin = async () => {
    segments = [];
    problem("");
    recorder = new Recorder({
      segment: (segment) => {
        segments = [...segments, segment].filter(({ end }) => end > segment.end - WINDOW - 1);
      },
      problem,
    });
    await recorder.start(page.model());
    button.textContent = t("stop");
    button.setAttribute("aria-pressed", "true");
    find("live").hidden = false;
    timer = setInterval(show, TICK);
    show();
  };

  const end = async () => {
    clearInterval(timer);
    const file = await recorder.stop();
    button.textContent = t("record");
    button.setAttribute("aria-pressed", "false");
    find("live").hidden = true;
    recorder = null;
    page.add([file]);
  };

  button.onclick = async () => {
    button.disabled = true; // until the microphone is opened or released
    try {
      await (recorder ? end() : begin());
    } catch (error) {
      recorder = null;
      problem(error.message);
    }
    button.disabled = false;
    button.focus();
  };
}
