/** The current recording: waveform, a lane of predictions for each model, and summaries. */

import { clock, drawLabels, drawPrediction, ruler } from "./bands.js";
import { find, make } from "./dom.js";
import { labelRuns, spanAt, timeline } from "./timeline.js";
import { CursorReadout } from "./cursor.js";
import { decode } from "./audio.js";
import { summaryBox } from "./summary.js";
import { t } from "./i18n.js";
import { Wave } from "./wave.js";

const STEP = 0.24; // s that an arrow key moves, the hop of segments
const ZOOM = 1.6;
const MAX_WIDTH = 15000; // px

export class View {
  constructor() {
    this.cursor = new CursorReadout();
    this.lanes = [];
    this.zoom = 1;
    this.wave = new Wave(find("wave"), {
      moved: (time) => this.moved(time),
      playing: (playing) => (find("play").textContent = t(playing ? "pause" : "play")),
    });
    find("play").onclick = () => this.wave.toggle();
    find("zoom-in").onclick = () => this.zoomBy(ZOOM);
    find("zoom-out").onclick = () => this.zoomBy(1 / ZOOM);
    find("axis").onkeydown = (event) => this.key(event);
    find("axis").onclick = (event) => this.click(event);
    new ResizeObserver(() => this.draw()).observe(find("axis"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.wave.recolour();
      this.draw();
    });
  }

  /** Shows a recording. */
  async open(entry) {
    this.entry = entry;
    this.lanes = [];
    this.wave.clear();
    find("view").hidden = false;
    find("name").textContent = entry.name;
    const samples = await decode(entry.blob);
    if (this.entry !== entry) return;
    find("silent-note").hidden = samples !== null;
    this.zoomBy(1 / this.zoom);
    await this.wave.show(entry.blob, samples, 1);
  }

  close() {
    this.entry = null;
    this.wave.pause();
    find("view").hidden = true;
  }

  /** Shows the summary of each model.
   * @param {{name: string, intended_use: string, labels: string[],
   *   job: import("./jobs.js").Job | undefined}[]} models */
  showSummaries(models) {
    find("summaries").replaceChildren(...models.map(summaryBox));
  }

  /** Shows the results of all models that are done. */
  showResults(models) {
    this.showSummaries(models);
    const done = models.filter(({ job }) => job?.status === "done");
    this.lanes = done.map(({ name, job, labels }) => {
      const canvas = make("canvas", { role: "img", "aria-label": t("lane", { model: name }) });
      return { name, labels, predictions: job.result, spans: timeline(job.result), canvas };
    });
    this.own = make("canvas", { "aria-hidden": "true" }); // the table has the same content
    this.ownLane = lane(t("yourLane"), this.own);
    const lanes = this.lanes.map(({ name, canvas }) => lane(name, canvas));
    find("lanes").replaceChildren(this.ownLane, ...lanes);
    if (!this.wave.playable) {
      const ends = this.lanes.map(({ spans }) => spans.at(-1)?.end ?? 0);
      this.wave.duration = Math.max(...ends, this.wave.duration);
    }
    this.cursor.show(this.lanes);
    this.draw();
    this.moved(this.wave.time);
  }

  draw() {
    const { duration } = this.wave;
    if (!this.entry || !duration) return;
    for (const { canvas, spans, labels } of this.lanes) {
      drawPrediction(canvas, spans, { duration, labels });
    }
    this.drawLabels();
    ruler(find("ruler"), duration);
    find("axis").setAttribute("aria-valuemax", duration.toFixed(2));
  }

  /** Draws the user's labels. */
  drawLabels() {
    const { all } = this.entry.corrections;
    if (!this.own) return;
    this.ownLane.hidden = !all.length;
    if (all.length) drawLabels(this.own, all, { from: 0, to: this.wave.duration });
  }

  moved(time) {
    const axis = find("axis");
    const share = time / (this.wave.duration || 1);
    find("cursor").style.left = `${100 * share}%`;
    find("time").textContent = `${clock(time)} / ${clock(this.wave.duration)}`;
    const text = this.lanes.length ? this.cursor.at(time) : "";
    axis.setAttribute("aria-valuenow", time.toFixed(2));
    axis.setAttribute("aria-valuetext", `${clock(time)} s. ${text}`);
    this.follow(share * axis.clientWidth);
  }

  /** Scrolls to the cursor if the axis is wider than its box. */
  follow(x) {
    const box = find("scroll");
    if (x < box.scrollLeft || x > box.scrollLeft + box.clientWidth) {
      box.scrollLeft = x - box.clientWidth / 4;
    }
  }

  zoomBy(factor) {
    const max = Math.max(MAX_WIDTH / find("scroll").clientWidth, 1);
    this.zoom = Math.max(1, Math.min(this.zoom * factor, max));
    find("axis").style.width = `${100 * this.zoom}%`;
    find("zoom-out").disabled = this.zoom === 1;
  }

  click(event) {
    const { left, width } = find("axis").getBoundingClientRect();
    const time = ((event.clientX - left) / width) * this.wave.duration;
    const lane = this.lanes.find(({ canvas }) => canvas === event.target);
    const span = lane && spanAt(lane.spans, time);
    if (!span) return this.wave.seek(time);
    const { start, end } = labelRuns(lane.spans).find((s) => s.start <= time && time <= s.end);
    return this.wave.play(start, end);
  }

  key(event) {
    const { time, duration } = this.wave;
    const targets = {
      ArrowRight: time + STEP,
      ArrowLeft: time - STEP,
      PageUp: time + 10,
      PageDown: time - 10,
      Home: 0,
      End: duration,
    };
    if (event.key in targets) this.wave.seek(targets[event.key]);
    else if (event.key === " " || event.key === "Enter") this.wave.toggle();
    else return;
    event.preventDefault();
  }
}

const lane = (name, canvas) =>
  make("div", { className: "lane" }, make("span", { textContent: name }), canvas);
