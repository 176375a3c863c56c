/** The live view: level, running waveform, the moment's emotions, and utterances as they end. */

import { drawRuns } from "./bands.js";
import { clock, fitted, hatch, toPixels } from "./canvas.js";
import { cssValue } from "./colours.js";
import { find, make } from "./dom.js";
import { Now } from "./now.js";
import { Recorder } from "./record.js";
import { shareText } from "./summary.js";
import { labelRuns, timeline, topProbability, UNCERTAIN } from "./timeline.js";
import { emotion, percent, t } from "./i18n.js";

const WINDOW = 10; // s shown
const PAUSE = 0.5; // s between the starts of two segments that have a pause between them
const LATE = 1.5; // s after which the last segment no longer is the moment's
const HEIGHT = { wave: 140, bands: 40 }; // px
const QUIET = -60; // dB, the lower end of the level meter

const describe = (segment) =>
  segment.label === UNCERTAIN
    ? emotion(UNCERTAIN)
    : `${emotion(segment.label)} ${percent(topProbability(segment))}`;

/** Spans of live segments with the pauses between them. @param {object[]} segments */
export function liveSpans(segments) {
  const groups = [];
  for (const segment of segments) {
    const last = groups.at(-1)?.at(-1);
    if (last && segment.start - last.start < PAUSE) groups.at(-1).push(segment);
    else groups.push([segment]);
  }
  return timeline(groups.map((group) => {
    const start = group[0].start;
    return { start, duration: group.at(-1).end - start, segments: group, label: "" };
  }));
}

/** @param {{model: () => string, models: () => object[], add: (files: File[]) => void}} page */
export function initLive(page) {
  const view = new LiveView(page);
  const button = find("record");
  let recorder = null;
  initSwitch();
  const problem = (text) => (find("record-problem").textContent = text);

  const begin = async () => {
    problem("");
    recorder = new Recorder({
      segment: (segment) => view.addSegment(segment),
      utterance: (utterance) => view.addUtterance(utterance),
      problem,
    });
    await recorder.start(page.model());
    view.begin(recorder);
  };

  const end = async () => {
    view.end();
    const file = await recorder.stop();
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
    const recording = recorder !== null;
    button.textContent = t(recording ? "stop" : "record");
    button.setAttribute("aria-pressed", String(recording));
    button.disabled = false;
  };
}

/** The button that changes between the live view and the recordings. */
function initSwitch() {
  const { dataset } = document.body;
  let before = "empty";
  find("live-open").onclick = ({ currentTarget }) => {
    const live = dataset.view !== "live";
    if (live) before = dataset.view;
    dataset.view = live ? "live" : before;
    currentTarget.setAttribute("aria-pressed", String(live));
    if (live) find("record").focus();
  };
}

class LiveView {
  constructor(page) {
    this.page = page;
    this.now = new Now(find("live-now"));
  }

  begin(recorder) {
    Object.assign(this, { recorder, segments: [] });
    find("live-utterances").replaceChildren();
    const model = this.page.models().find(({ name }) => name === this.page.model());
    this.now.show(model ? [{ ...model, spans: [] }] : []);
    const frame = () => {
      if (this.recorder !== recorder) return;
      this.draw();
      requestAnimationFrame(frame);
    };
    frame();
  }

  end() {
    this.recorder = null;
  }

  addSegment(segment) {
    const first = segment.end - WINDOW - 1;
    this.segments = [...this.segments, segment].filter(({ end }) => end > first);
    for (const model of this.now.models) this.now.update(model, { segment, prediction: {} });
  }

  addUtterance({ start, duration, label, confidence, probabilities }) {
    const time = `${clock(start, 1)} – ${clock(start + duration, 1)}`;
    const text = shareText({ label, share: confidence, probabilities });
    find("live-utterances").prepend(make("li", { textContent: `${time}  ${text}` }));
  }

  draw() {
    const { recorder, segments } = this;
    const seconds = recorder.seconds;
    const last = segments.at(-1);
    const spoken = last && recorder.live && seconds - last.end < LATE;
    const label = spoken ? describe(last) : t(last && recorder.live ? "noSpeech" : recorder.state);
    find("live-text").textContent = t("liveNow", { seconds: seconds.toFixed(1), label });
    if (!spoken) for (const model of this.now.models) this.now.update(model, undefined);
    const to = Math.max(seconds, WINDOW);
    const window = { from: to - WINDOW, to };
    find("level").value = Math.max(QUIET, recorder.level);
    this.drawWave(window);
    const { context, width } = fitted(find("live-bands"), HEIGHT.bands);
    hatch(context, 0, 0, width, HEIGHT.bands);
    const x = toPixels(window, width);
    const runs = labelRuns(liveSpans(segments));
    for (const { start, end } of runs) {
      context.clearRect(x(start), 0, x(end) - x(start), HEIGHT.bands);
    }
    drawRuns(context, runs, x, HEIGHT.bands);
  }

  /** Draws the peak of each block of the last seconds. */
  drawWave(window) {
    const { context, width } = fitted(find("live-wave"), HEIGHT.wave);
    const x = toPixels(window, width);
    context.fillStyle = cssValue("--wave");
    for (const { start, end, peak } of this.recorder.peaks(window.from)) {
      const tall = Math.max(1, peak * HEIGHT.wave);
      context.fillRect(x(start), (HEIGHT.wave - tall) / 2, x(end) - x(start), tall);
    }
  }
}
