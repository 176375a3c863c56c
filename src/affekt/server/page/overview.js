/** The whole recording in one strip: waveform, recognised labels, silence, annotations. */

import { drawRuns } from "./bands.js";
import { fitted, hatch, toPixels } from "./canvas.js";
import { cssValue } from "./colours.js";
import { decided } from "./annotations.js";
import { find, perFrame } from "./dom.js";
import { drawWaveform } from "./waveform.js";

const HEIGHT = 34; // px
const STRIP = 8; // of recognised labels, at the bottom
const OWN = 4; // of annotations, at the top

export class Overview {
  /** @param {(time: number) => void} moved  called with the time at the pointer */
  constructor(moved) {
    this.box = find("overview");
    this.canvas = this.box.querySelector("canvas");
    this.draw = perFrame(() => this.drawNow());
    const move = (event) => {
      const { left, width } = this.box.getBoundingClientRect();
      moved(((event.clientX - left) / width) * this.duration);
    };
    this.box.onpointerdown = (event) => {
      this.box.setPointerCapture(event.pointerId);
      move(event);
    };
    this.box.onpointermove = (event) => event.buttons && move(event);
    new ResizeObserver(() => this.content && this.draw()).observe(this.box);
  }

  /** @param {{duration: number, sound: object | null, predictions: object[], until: number,
   *   annotations: object[]}} content  until: as of `drawLane` */
  show(content) {
    this.content = content;
    this.duration = content.duration;
    this.draw();
  }

  drawNow() {
    const { duration, sound, predictions, until, annotations } = this.content;
    const { context, width } = fitted(this.canvas, HEIGHT);
    if (!duration) return;
    const window = { from: 0, to: duration };
    const x = toPixels(window, width);
    if (sound) drawWaveform(context, sound, { window, width, height: HEIGHT - STRIP });
    context.save();
    context.translate(0, HEIGHT - STRIP);
    if (predictions.length) hatch(context, 0, 0, Math.min(width, x(until)), STRIP);
    const runs = predictions.map(({ start, duration, label }) => {
      return { start, end: start + duration, label };
    });
    drawRuns(context, runs, x, STRIP, { named: false });
    context.restore();
    context.fillStyle = cssValue("--accent");
    for (const one of annotations) {
      const left = x(one.start);
      if (decided(one)) context.fillRect(left, 0, Math.max(x(one.end) - left - 1, 1), OWN);
    }
  }

  /** Marks the part that the detail view shows. @param {import("./canvas.js").Window} window */
  mark({ from, to }) {
    const style = find("overview-window").style;
    style.left = `${(100 * from) / (this.duration || 1)}%`;
    style.width = `${(100 * (to - from)) / (this.duration || 1)}%`;
  }
}
