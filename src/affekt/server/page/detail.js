/** The detail view: a window of the recording with waveform, annotations and predictions. */

import { spanKey } from "./annotations.js";
import { drawAnnotations, drawLane } from "./bands.js";
import { clock, drawRuler } from "./canvas.js";
import { find, make, perFrame } from "./dom.js";
import { drawSpectrum } from "./spectrum.js";
import { drawWave } from "./waveform.js";
import { t } from "./i18n.js";

const STEP = 0.24; // s that an arrow key moves, the hop of segments
const ZOOM = 1.5;
const SHORTEST = 0.5; // s of a window
const LONGEST = 120;
const FIRST = 30; // s shown of a recording that is longer
const EDGE = 6; // px around an edge in which it can be dragged
const NARROW = 500; // px; the waveform of a narrower view is lower
const HEIGHT = { narrow: 48, wide: 84 }; // px
const DRAG = 5; // px; a shorter movement is a click

export class Detail {
  /**
   * @param {{clicked: (time: number, target: Element) => void, seek: (time: number) => void,
   *   drawn: (start: number, end: number) => void, moved: (start: number, end: number) => void,
   *   windowed: (window: object) => void}} actions  drawn: the user dragged a new span; moved: an
   *   edge of the selected one; windowed: another window is shown
   */
  constructor(actions) {
    this.actions = actions;
    this.axis = find("axis");
    this.draw = perFrame(() => this.drawNow());
    this.window = { from: 0, to: 1 };
    this.spectrum = { spectrogram: false, pitch: false };
    this.clear();
    this.axis.onkeydown = (event) => this.key(event);
    this.axis.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.axis.onpointerdown = (event) => this.down(event);
    this.axis.onpointermove = (event) => this.drag(event);
    this.axis.onpointerup = (event) => this.up(event);
    this.axis.onpointercancel = () => this.cancel();
    new ResizeObserver(() => this.draw()).observe(this.axis);
  }

  clear() {
    Object.assign(this, { duration: 0, sound: null, annotations: [], lanes: [], span: null });
    this.time = 0;
    find("lanes").replaceChildren();
  }

  /** Shows a recording from its start. @param {number} duration  s */
  open(duration) {
    this.duration = duration;
    this.span = null;
    this.show({ from: 0, to: Math.min(duration, FIRST) });
  }

  /** @param {{name: string, labels: string[], spans: object[], until: number}[]} lanes  of each
   * model and voice; until: as of `drawLane` */
  setLanes(lanes) {
    this.lanes = lanes.map((lane) => {
      const name = t("lane", { model: lane.name });
      return { ...lane, canvas: make("canvas", { role: "img", "aria-label": name }) };
    });
    find("lanes").replaceChildren(
      ...this.lanes.map(({ name, canvas }) =>
        make("div", { className: "lane" }, make("span", { textContent: name }), canvas)),
    );
  }

  /** Selects a span, whose edges can then be dragged, and scrolls to it if it is another one. */
  select(span) {
    const same = span && this.span && spanKey(span) === spanKey(this.span);
    this.span = span;
    if (!span || same) return;
    const { from, to } = this.window;
    if (span.start >= from && span.end <= to) return;
    const length = to - from;
    const margin = Math.max(0.1 * length, (length - (span.end - span.start)) / 2);
    this.show({ from: span.start - margin, to: span.start - margin + length });
  }

  /** Shows a window, moved to lie within the recording. */
  show({ from, to }) {
    const length = Math.min(to - from, this.duration || 1);
    const start = Math.max(0, Math.min(from, (this.duration || 1) - length));
    this.window = { from: start, to: start + length };
    this.draw();
    this.actions.windowed(this.window);
  }

  /** Zooms by a factor so that a time stays where it is. */
  zoom(factor, at = this.inWindow(this.time) ? this.time : this.middle) {
    const { from, to } = this.window;
    const most = Math.min(LONGEST, this.duration || 1);
    const length = Math.max(Math.min(SHORTEST, most), Math.min((to - from) * factor, most));
    const start = at - ((at - from) / (to - from)) * length;
    this.show({ from: start, to: start + length });
  }

  zoomIn() {
    this.zoom(1 / ZOOM);
  }

  zoomOut() {
    this.zoom(ZOOM);
  }

  pan(seconds) {
    const { from, to } = this.window;
    this.show({ from: from + seconds, to: to + seconds });
  }

  get middle() {
    return (this.window.from + this.window.to) / 2;
  }

  inWindow(time) {
    return time >= this.window.from && time <= this.window.to;
  }

  drawNow() {
    if (!this.duration) return;
    const { window, sound } = this;
    const height = this.axis.clientWidth < NARROW ? HEIGHT.narrow : HEIGHT.wide;
    drawWave(find("wave"), sound, { window, height, span: this.preview ?? this.span });
    drawAnnotations(find("own"), this.annotations, window);
    this.drawSpectrum();
    for (const { canvas, spans, labels, until } of this.lanes) {
      drawLane(canvas, spans, { window, labels, until });
    }
    drawRuler(find("ruler"), window);
    this.drawSpan();
    this.drawCursor();
    find("zoom-span").textContent = `${clock(window.to - window.from, 1)} s`;
    this.axis.setAttribute("aria-valuemax", this.duration.toFixed(2));
  }

  /** Shows or hides the spectrogram or the pitch. @param {"spectrogram" | "pitch"} name */
  toggle(name) {
    this.spectrum = { ...this.spectrum, [name]: !this.spectrum[name] };
    this.draw();
  }

  /** Draws spectrogram and pitch, unless they are drawn already: they take long. */
  drawSpectrum() {
    const { sound, spectrum, window } = this;
    const canvas = find("spectrum");
    canvas.hidden = !sound || !(spectrum.spectrogram || spectrum.pitch);
    const wanted = [sound, spectrum, window, this.axis.clientWidth];
    if (canvas.hidden || wanted.every((value, i) => value === this.spectrumDrawn?.[i])) return;
    this.spectrumDrawn = wanted;
    drawSpectrum(canvas, sound.samples, window, spectrum);
  }

  share(time) {
    const { from, to } = this.window;
    return (time - from) / (to - from);
  }

  drawSpan() {
    const box = find("span");
    const span = this.preview ?? this.span;
    box.hidden = !span;
    if (!span) return;
    box.style.left = `${100 * this.share(span.start)}%`;
    box.style.width = `${100 * (this.share(span.end) - this.share(span.start))}%`;
  }

  drawCursor() {
    find("cursor").hidden = !this.inWindow(this.time);
    find("cursor").style.left = `${100 * this.share(this.time)}%`;
  }

  /** Moves the cursor. @param {string} text  the probabilities there @param {boolean} follow */
  moveTo(time, text, follow) {
    this.time = time;
    this.axis.setAttribute("aria-valuenow", time.toFixed(2));
    this.axis.setAttribute("aria-valuetext", `${clock(time)} s. ${text}`);
    if (follow && this.duration && !this.inWindow(time)) {
      const length = this.window.to - this.window.from;
      this.show({ from: time - 0.1 * length, to: time + 0.9 * length });
    }
    this.drawCursor();
  }

  timeAt({ clientX }) {
    const { left, width } = this.axis.getBoundingClientRect();
    const { from, to } = this.window;
    const time = from + ((clientX - left) / width) * (to - from);
    return Math.max(0, Math.min(time, this.duration));
  }

  /** Which edge of the selected span is under the pointer: "start", "end" or "". */
  edgeAt({ clientX }) {
    if (!this.span) return "";
    const { left, width } = this.axis.getBoundingClientRect();
    const distance = (edge) => Math.abs(clientX - left - this.share(this.span[edge]) * width);
    const [near, far] = distance("start") < distance("end") ? ["start", "end"] : ["end", "start"];
    return distance(near) <= EDGE && distance(far) > EDGE ? near : "";
  }

  down(event) {
    if (event.button || !this.duration) return;
    this.axis.setPointerCapture(event.pointerId);
    const { target, clientX } = event;
    this.press = { x: clientX, time: this.timeAt(event), edge: this.edgeAt(event), target };
  }

  drag(event) {
    this.axis.classList.toggle("edge", Boolean(this.press?.edge || this.edgeAt(event)));
    const { press, span } = this;
    if (!press || (!this.preview && Math.abs(event.clientX - press.x) < DRAG)) return;
    const fixed = { start: span?.end, end: span?.start }[press.edge] ?? press.time;
    const [start, end] = [fixed, this.timeAt(event)].sort((a, b) => a - b);
    this.preview = { start, end };
    this.draw();
  }

  up(event) {
    const { press, preview } = this;
    this.cancel();
    if (!press) return;
    if (!preview) this.actions.clicked(this.timeAt(event), press.target);
    else if (press.edge) this.actions.moved(preview.start, preview.end);
    else this.actions.drawn(preview.start, preview.end);
  }

  cancel() {
    this.press = this.preview = null;
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    const { from, to } = this.window;
    const scale = event.deltaMode ? 20 : 1; // lines instead of pixels
    const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      this.pan(((sideways * scale) / this.axis.clientWidth) * (to - from));
    } else {
      this.zoom(Math.exp((event.deltaY * scale) / 400), this.timeAt(event));
    }
  }

  key(event) {
    const targets = {
      ArrowRight: this.time + STEP,
      ArrowLeft: this.time - STEP,
      Home: 0,
      End: this.duration,
    };
    if (!(event.key in targets)) return;
    this.actions.seek(targets[event.key]);
    event.preventDefault();
    event.stopPropagation();
  }
}
