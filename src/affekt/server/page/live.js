/** The button that records, and the line that says what is heard meanwhile. */

import { drawLabels } from "./bands.js";
import { find } from "./dom.js";
import { stretches, timeline, top, UNCERTAIN } from "./moments.js";
import { Recorder } from "./record.js";
import { emotion, percent, t } from "./words.js";

const WINDOW = 10; // s shown
const TICK = 240; // ms between two looks, as often as segments come

const heard = (segment) =>
  segment.label === UNCERTAIN
    ? emotion(UNCERTAIN)
    : `${emotion(segment.label)} ${percent(top(segment))}`;

/** @param {{model: () => string, add: (files: File[]) => void}} page */
export function live(page) {
  const button = find("record");
  let recorder = null;
  let segments = [];
  let timer = 0;

  const problem = (text) => (find("record-problem").textContent = text);

  const show = () => {
    const last = segments.at(-1);
    const label = last ? heard(last) : t("listening");
    find("live-text").textContent = t("live", { seconds: recorder.seconds.toFixed(1), label });
    const to = Math.max(last?.end ?? 0, WINDOW);
    const start = segments[0]?.start ?? 0;
    const prediction = { start, duration: (last?.end ?? 0) - start, segments, label: "" };
    const parts = stretches(timeline([prediction]));
    drawLabels(find("live-bands"), parts, { from: to - WINDOW, to, height: 34 });
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
    button.disabled = true; // until the microphone is there, or given back
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
