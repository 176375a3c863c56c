/** The workbench of one recording: its views, and which part is selected. */

import * as annotations from "./annotations.js";
import { decode, RATE, samplesOf } from "./audio.js";
import { clock } from "./canvas.js";
import { Detail } from "./detail.js";
import { find } from "./dom.js";
import { showDownloads } from "./downloads.js";
import { Editor } from "./editor.js";
import { speakerName, t } from "./i18n.js";
import { LabelBar } from "./labelbar.js";
import { Now } from "./now.js";
import { Overview } from "./overview.js";
import { Player } from "./player.js";
import { isDone, rowsOf, shown, units } from "./rows.js";
import { summaryBox } from "./summary.js";
import { Table } from "./table.js";
import { firstAfter, labelRuns, recognisedUntil, timeline } from "./timeline.js";
import { soundOf } from "./waveform.js";

export class Workbench {
  /** @param {import("./store.js").Store} store
   * @param {{models: () => object[], next: (recording: object, step: number) => object | undefined,
   *   open: (recording: object, options: object) => void, addClass: () => void}} page  models: the
   *   selected ones with their jobs for the current recording; next: the recording to go on to */
  constructor(store, page) {
    this.store = store;
    this.page = page;
    this.current = null;
    this.unfolded = new Map(); // keys of unfolded rows by recording
    this.now = new Now();
    this.editor = new Editor(store, this, page);
    this.player = new Player({
      moved: (time) => this.moved(time),
      playing: (playing) => (find("play").textContent = t(playing ? "pause" : "play")),
    });
    this.overview = new Overview((time) => this.detail.pan(time - this.detail.middle));
    this.detail = new Detail({
      clicked: (time, target) => this.clicked(time, target),
      seek: (time) => this.player.seek(time),
      drawn: (start, end) => this.editor.draw(start, end),
      moved: (start, end) => this.editor.move(start, end),
      windowed: (window) => this.overview.mark(window),
    });
    this.table = new Table({
      selected: (row) => this.select(row, { play: true }),
      folded: (row) => this.fold(row, !this.folds.has(row.key)),
    });
    this.bar = new LabelBar({
      label: (label) => this.editor.label(label),
      mark: (mark) => this.editor.mark(mark),
      addClass: page.addClass,
    });
    this.rows = []; // those that are shown
    this.tree = []; // the outermost rows
    this.lanes = [];
  }

  get folds() {
    if (!this.unfolded.has(this.current)) this.unfolded.set(this.current, new Set());
    return this.unfolded.get(this.current);
  }

  /** Opens a recording. @param {{play?: boolean}} options  play: its selected row, once it can */
  async open(recording, { play = false } = {}) {
    this.close();
    this.current = recording;
    this.chosen = false;
    this.store.set({ current: recording.id });
    find("name").textContent = recording.name;
    this.showSpeaker();
    this.showVoices(1);
    find("silent-note").hidden = true;
    find("decoding").hidden = false; // half an hour takes a second or more
    this.showResults();
    const buffer = await decode(recording.blob);
    if (this.current !== recording) return;
    find("decoding").hidden = true;
    find("silent-note").hidden = buffer !== null;
    this.showVoices(buffer?.numberOfChannels);
    const samples = buffer && samplesOf(buffer);
    this.sound = samples && soundOf(samples);
    if (samples) this.setDuration(samples.length / RATE);
    const seconds = samples ? samples.length / RATE : recording.duration;
    this.player.open(samples && recording.blob, seconds);
    this.detail.sound = this.sound;
    this.detail.open(this.player.duration);
    this.showResults();
    if (play) this.repeat();
    else if (this.selected) this.player.seek(this.selected.start);
  }

  close() {
    this.current = this.sound = null;
    this.rows = this.tree = [];
    this.player.close();
    this.detail.clear();
    this.table.select(undefined);
  }

  showSpeaker() {
    find("speaker").value = this.current.speaker;
  }

  /** Shows how the recording is recognised. @param {number} [channels]  undefined if the browser
   * cannot know it */
  showVoices(channels) {
    find("speakers").value = this.current.speakers;
    find("channels").value = this.current.channels;
    find("channels").parentElement.hidden = channels === 1 && this.current.channels === "mean";
  }

  setDuration(seconds) {
    const recording = this.current;
    if (recording.duration || !seconds) return;
    recording.duration = seconds;
    this.store.save(recording);
  }

  /** Shows the results in words, or how far they are. */
  showSummaries() {
    const models = this.page.models();
    find("summaries").replaceChildren(...models.map(summaryBox));
    return models;
  }

  /** Shows the results of the selected models: after opening, and when there is more of them. */
  showResults() {
    const models = this.showSummaries();
    const done = models.filter(({ job }) => job?.result);
    this.first = models[0];
    this.predictions = this.first?.job?.result ?? null;
    if (!this.player.playable && this.predictions) this.adoptDuration();
    this.lanes = done.flatMap(lanesOf);
    this.detail.setLanes(this.lanes);
    const whole = done.map(({ name, labels, job }) => {
      return { name, labels, spans: timeline(job.result), until: recognisedUntil(job) };
    });
    this.now.show(whole);
    const other = whole.find(({ name }) => name !== this.first.name);
    this.other = other ? { name: other.name, runs: labelRuns(other.spans) } : null;
    showDownloads(this.first?.job, this.current.name);
    this.showAnnotations();
    if (!this.chosen) this.chooseRow();
    this.showSelection();
    this.moved(this.player.time);
  }

  /** Takes the duration from the result where the browser cannot decode the file. */
  adoptDuration() {
    this.setDuration(this.predictions.at(-1)?.file_duration ?? 0);
    if (this.sound !== null || this.player.duration || !this.current.duration) return;
    this.player.duration = this.current.duration;
    this.detail.open(this.current.duration);
  }

  /** Shows the annotations: after each edit. */
  showAnnotations() {
    const { annotations: own, duration } = this.current;
    this.tree = rowsOf(duration, this.predictions, own);
    this.rows = shown(this.tree, this.folds);
    if (!this.selected) this.chooseRow();
    const done = units(this.tree).filter((unit) => isDone(unit, own)).map(({ key }) => key);
    const labelled = own.filter(annotations.decided).map(annotations.spanKey);
    const ticked = new Set([...done, ...labelled]);
    const { folds: unfolded, other } = this;
    this.table.show(this.rows, { annotations: own, unfolded, done: ticked, other });
    this.detail.annotations = own;
    this.overview.show({
      duration: this.player.duration,
      sound: this.sound,
      predictions: this.predictions ?? [],
      until: this.predictions ? recognisedUntil(this.first.job) : 0,
      annotations: own,
    });
    this.overview.mark(this.detail.window);
    this.showSelection();
    this.detail.draw();
  }

  /** The row to select until the user selects one: the stored one, or the first without a label. */
  chooseRow() {
    const stored = this.find(this.store.settings.rows[this.current.id]);
    const open = this.rows.find((row) => !isDone(row, this.current.annotations));
    this.key = (stored ?? open ?? this.rows[0])?.key;
    if (stored) this.unfoldAbove(stored);
  }

  showSelection() {
    const row = this.selected;
    this.table.select(row?.key);
    this.detail.select(row ?? null);
    this.bar.mark(row && annotations.annotationOf(this.current.annotations, row), row);
    find("merge").disabled = !row || !this.editor.neighbour(row);
    find("split").disabled = !row;
  }

  get selected() {
    return this.rows.find(({ key }) => key === this.key);
  }

  select(row, { play = false } = {}) {
    this.key = row.key;
    this.chosen = true;
    this.unfoldAbove(row);
    this.store.set({ rows: { ...this.store.settings.rows, [this.current.id]: row.key } });
    this.showSelection();
    this.detail.draw();
    if (play) this.player.play(row.start, row.end);
    else if (!this.player.playing) this.player.seek(row.start);
  }

  /** Unfolds what a row lies in. */
  unfoldAbove({ parent }) {
    const folded = [];
    for (let above = parent; above; above = above.parent) {
      if (!this.folds.has(above.key)) folded.push(above.key);
    }
    if (!folded.length) return;
    folded.forEach((key) => this.folds.add(key));
    this.showAnnotations();
  }

  fold(row, unfolded) {
    if (unfolded) this.folds.add(row.key);
    else this.folds.delete(row.key);
    this.showAnnotations();
  }

  /** Plays the selected row. */
  repeat() {
    const row = this.selected;
    if (row) this.player.play(row.start, row.end);
  }

  unfoldSelected() {
    const row = this.selected;
    if (row?.children.length) this.fold(row, true);
  }

  /** Folds the selected row, or goes to the row that it lies in. */
  foldSelected() {
    const row = this.selected;
    if (!row) return;
    if (this.folds.has(row.key) && row.children.length) this.fold(row, false);
    else if (row.parent) this.select(this.rows.find(({ key }) => key === row.parent.key));
  }

  step(by) {
    const index = this.rows.findIndex(({ key }) => key === this.selected?.key);
    const row = this.rows[index + by];
    if (row) this.select(row);
  }

  /** The row with a key, folded or not. */
  find(key) {
    const all = (rows) => rows.flatMap((row) => [row, ...all(row.children)]);
    return all(this.tree).find((row) => row.key === key);
  }

  /** Selects the row of a span, wherever it is nested. */
  selectSpan(span) {
    const row = this.find(annotations.spanKey(span));
    if (row) this.select(row);
  }

  /** A click on a band, an annotation or the waveform. */
  clicked(time, target) {
    const lane = this.detail.lanes.find(({ canvas }) => canvas === target);
    if (lane) return this.clickedLane(lane, time);
    const own = target.id === "own" && this.current.annotations.findLast((one) =>
      one.start <= time && time <= one.end);
    if (own) this.selectSpan(own);
    return this.player.seek(time);
  }

  /** Selects and plays the run of one label at a time, if the lane is that of the first model. */
  clickedLane({ spans, model }, time) {
    const span = spans[firstAfter(spans, time)];
    if (!span || span.start > time) return this.player.seek(time);
    const { prediction } = span;
    const own = spans.filter((one) => one.prediction === prediction);
    const run = labelRuns(own).find(({ start, end }) => start <= time && time <= end);
    if (model === this.first.name) {
      const { channel, start, duration } = prediction;
      const whole = run.start <= start && run.end >= start + duration;
      this.selectSpan({ channel, ...(whole ? { start, end: start + duration } : run) });
    }
    return this.player.play(run.start, run.end);
  }

  /** The cursor moved. */
  moved(time) {
    find("time").textContent = `${clock(time)} / ${clock(this.player.duration)}`;
    this.detail.moveTo(time, this.lanes.length ? this.now.at(time) : "", this.player.playing);
  }
}

/** A lane for each voice of a model's result: channels, and speakers where they were told apart. */
function lanesOf({ name, labels, job }) {
  const voices = new Map();
  for (const prediction of job.result) {
    const voice = [
      prediction.channel && t("channel", prediction),
      prediction.speaker && speakerName(prediction.speaker),
    ].filter(Boolean).join(", ");
    voices.set(voice, [...(voices.get(voice) ?? []), prediction]);
  }
  return [...voices].map(([voice, predictions]) => ({
    model: name,
    name: [name, voice].filter(Boolean).join(": "),
    labels,
    spans: timeline(predictions),
    until: recognisedUntil(job),
  }));
}
