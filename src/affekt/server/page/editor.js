/** What the user does with the selected part: labels, marks, comments, and edits of its span. */

import * as annotations from "./annotations.js";
import { clock } from "./canvas.js";
import { announce } from "./dom.js";
import { emotion, t } from "./i18n.js";
import { agreeable, isDone } from "./rows.js";

export class Editor {
  /** @param {import("./store.js").Store} store
   * @param {import("./workbench.js").Workbench} workbench
   * @param {{next: (recording: object, step: number) => object | undefined,
   *   open: (recording: object, options: object) => void}} page  next: the recording to go on to */
  constructor(store, workbench, page) {
    Object.assign(this, { store, workbench, page });
  }

  get row() {
    return this.workbench.selected;
  }

  get own() {
    return this.workbench.current.annotations;
  }

  // Labels.

  label(label) {
    if (this.annotate({ label, mark: "" })) this.goOn();
  }

  /** Sets the label with a number, from 1 on, in the order of the buttons. */
  labelNumber(number) {
    const label = this.workbench.bar.labels[number - 1];
    if (label !== undefined) this.label(label);
  }

  /** Takes over the label of the model. */
  agree() {
    if (!this.row) return;
    if (agreeable(this.row)) this.label(this.row.label);
    else announce(t("nothingToAgree"));
  }

  /** @param {"unsure" | "unusable"} mark */
  mark(mark) {
    if (this.annotate({ label: "", mark })) this.goOn();
  }

  /** Removes the label; of a drawn span without one, the span. */
  clear() {
    const old = this.row && annotations.annotationOf(this.own, this.row);
    if (!old) return;
    if (annotations.decided(old)) this.annotate({ label: "", mark: "" });
    else this.store.edit(this.workbench.current, { removed: [old], added: [] });
  }

  comment(text) {
    this.annotate({ comment: text.trim() });
  }

  /** Changes the annotation of the selected row. @returns {boolean} whether there is one */
  annotate(values) {
    const { row, own } = this;
    if (!row) return false;
    const old = annotations.annotationOf(own, row);
    const model = this.workbench.first?.name ?? "";
    const origin = old?.model ? {} : { recognised: row.label, model };
    const change = annotations.set(own, row, { ...origin, ...values });
    this.store.edit(this.workbench.current, change);
    if ("label" in values) this.announceLabel(row);
    return true;
  }

  announceLabel(row) {
    const what = t("span", { start: clock(row.start), end: clock(row.end) });
    const { label = "", mark = "" } = annotations.annotationOf(this.own, row) ?? {};
    const text = mark ? t(mark) : emotion(label);
    const labelled = new Set(this.own.filter(annotations.decided).map(annotations.spanKey));
    const kept = row.children.filter(({ key }) => labelled.has(key)).length;
    if (text && kept) announce(t("labelKept", { what, label: text, count: kept }));
    else announce(t(text ? "labelSet" : "labelRemoved", { what, label: text }));
  }

  /** Goes on to the next row, or the next recording, and plays it. */
  goOn() {
    const { workbench } = this;
    const index = workbench.rows.findIndex(({ key }) => key === this.row.key);
    const wanted = (row) => !this.store.settings.unlabelled || !isDone(row, this.own);
    const row = workbench.rows.slice(index + 1).find(wanted);
    if (row) return workbench.select(row, { play: true });
    const recording = this.page.next(workbench.current, 1);
    if (recording) return this.page.open(recording, { play: true });
    workbench.player.pause();
    return announce(t("lastRow"));
  }

  // Spans.

  draw(start, end) {
    if (end - start < annotations.SHORTEST) return;
    this.edit(annotations.set(this.own, { start, end }, { drawn: true }), { start, end });
  }

  move(start, end) {
    const change = this.row && annotations.move(this.own, this.row, start, end);
    if (change) this.edit(change, { ...this.row, start, end });
    else if (this.row) announce(t("notMoved"));
  }

  /** Moves an edge to the cursor. @param {"start" | "end"} edge */
  edgeHere(edge) {
    const { start, end } = { ...this.row, [edge]: this.workbench.player.time };
    if (this.row) this.move(start, end);
  }

  /** Divides the part at the cursor. */
  split() {
    const { time } = this.workbench.player;
    const change = this.row && annotations.split(this.own, this.row, time);
    if (change) this.edit(change, { ...this.row, end: time });
    else if (this.row) announce(t("notSplit"));
  }

  /** The row with which a row is merged: the next one beside it. */
  neighbour(row) {
    const beside = this.workbench.rows.filter(({ parent, channel }) =>
      parent?.key === row.parent?.key && channel === row.channel);
    return beside[beside.findIndex(({ key }) => key === row.key) + 1];
  }

  merge() {
    const { row } = this;
    const other = row && this.neighbour(row);
    const change = other && annotations.merge(this.own, row, other);
    if (change) this.edit(change, { ...row, end: Math.max(row.end, other.end) });
  }

  /** Makes a change and selects a span of it. */
  edit(change, span) {
    this.store.edit(this.workbench.current, change);
    this.workbench.selectSpan(span);
  }
}
