/** The recording that is shown: waveform, a lane of bands for each model, results in words. */

import { clock, draw, drawLabels, ruler } from "./bands.js";
import { find, make } from "./dom.js";
import { at, stretches, timeline } from "./moments.js";
import { Now } from "./now.js";
import { decode } from "./sound.js";
import { described } from "./summary.js";
import { t } from "./words.js";
import { Wave } from "./wave.js";

const STEP = 0.24; // s, from one segment to the next
const ZOOM = 1.6;
const WIDEST = 15000; // px

export class View {
  constructor() {
    this.now = new Now();
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

  /** Opens a recording. */
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

  /** Results in words, or how far they are.
   * @param {{name: string, intended_use: string, labels: string[],
   *   job: import("./jobs.js").Job | undefined}[]} models */
  summaries(models) {
    find("summaries").replaceChildren(...models.map(described));
  }

  /** Results in the picture. */
  results(models) {
    this.summaries(models);
    const done = models.filter(({ job }) => job?.status === "done");
    this.lanes = done.map(({ name, job, labels }) => {
      const canvas = make("canvas", { role: "img", "aria-label": t("lane", { model: name }) });
      return { name, labels, predictions: job.result, moments: timeline(job.result), canvas };
    });
    this.own = make("canvas", { "aria-hidden": "true" }); // the table says the same
    this.ownLane = lane(t("yourLane"), this.own);
    const lanes = this.lanes.map(({ name, canvas }) => lane(name, canvas));
    find("lanes").replaceChildren(this.ownLane, ...lanes);
    if (!this.wave.playable) {
      const ends = this.lanes.map(({ moments }) => moments.at(-1)?.end ?? 0);
      this.wave.duration = Math.max(...ends, this.wave.duration);
    }
    this.now.show(this.lanes);
    this.draw();
    this.moved(this.wave.time);
  }

  draw() {
    const { duration } = this.wave;
    if (!this.entry || !duration) return;
    for (const { canvas, moments, labels } of this.lanes) {
      draw(canvas, moments, { duration, labels });
    }
    this.labels();
    ruler(find("ruler"), duration);
    find("axis").setAttribute("aria-valuemax", duration.toFixed(2));
  }

  /** The user's labels. */
  labels() {
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
    const words = this.lanes.length ? this.now.at(time) : "";
    axis.setAttribute("aria-valuenow", time.toFixed(2));
    axis.setAttribute("aria-valuetext", `${clock(time)} s. ${words}`);
    this.follow(share * axis.clientWidth);
  }

  /** Keeps the cursor in sight where the axis is wider than the page. */
  follow(place) {
    const box = find("scroll");
    if (place < box.scrollLeft || place > box.scrollLeft + box.clientWidth) {
      box.scrollLeft = place - box.clientWidth / 4;
    }
  }

  zoomBy(factor) {
    const most = Math.max(WIDEST / find("scroll").clientWidth, 1);
    this.zoom = Math.max(1, Math.min(this.zoom * factor, most));
    find("axis").style.width = `${100 * this.zoom}%`;
    find("zoom-out").disabled = this.zoom === 1;
  }

  click(event) {
    const { left, width } = find("axis").getBoundingClientRect();
    const time = ((event.clientX - left) / width) * this.wave.duration;
    const lane = this.lanes.find(({ canvas }) => canvas === event.target);
    const moment = lane && at(lane.moments, time);
    if (!moment) return this.wave.seek(time);
    const { start, end } = stretches(lane.moments).find((s) => s.start <= time && time <= s.end);
    return this.wave.play(start, end);
  }

  key(event) {
    const { time, duration } = this.wave;
    const places = {
      ArrowRight: time + STEP,
      ArrowLeft: time - STEP,
      PageUp: time + 10,
      PageDown: time - 10,
      Home: 0,
      End: duration,
    };
    if (event.key in places) this.wave.seek(places[event.key]);
    else if (event.key === " " || event.key === "Enter") this.wave.toggle();
    else return;
    event.preventDefault();
  }
}

const lane = (name, canvas) =>
  make("div", { className: "lane" }, make("span", { textContent: name }), canvas);
