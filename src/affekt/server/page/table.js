/** The table of parts. Only the rows in sight are in the document, for recordings of hours. */

import { annotationOf, decided } from "./annotations.js";
import { clock } from "./canvas.js";
import { colour } from "./colours.js";
import { find, make, perFrame } from "./dom.js";
import { emotion, speakerName, t } from "./i18n.js";
import { dominantLabel } from "./rows.js";
import { shareText } from "./summary.js";
import { UNCERTAIN } from "./timeline.js";

const HEIGHT = 32; // px of a row, as in style.css
const SPARE = 2; // px below a row, since the box may end within a pixel
const MORE = 4; // rows drawn above and below those in sight

export class Table {
  /** @param {{selected: (row: object) => void, folded: (row: object) => void}} actions */
  constructor(actions) {
    this.actions = actions;
    this.box = find("table");
    this.body = find("rows");
    this.rows = [];
    this.draw = perFrame(() => this.drawNow());
    this.box.onscroll = () => this.draw();
    this.body.onclick = (event) => this.click(event);
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  /**
   * @param {import("./rows.js").Row[]} rows  those that are shown
   * @param {{annotations: object[], unfolded: Set<string>, done: Set<string>,
   *   other: {name: string, runs: object[]} | null}} content  done: keys of labelled units; other:
   *   the model to compare with
   */
  show(rows, content) {
    Object.assign(this, { rows, content });
    const other = content.other ? [content.other.name] : [];
    const heads = [t("time"), t("recognised"), ...other, t("yourLabel")];
    const tick = make("span", { className: "unseen", textContent: t("labelled") });
    find("head").replaceChildren(
      make("span", { role: "columnheader" }, tick),
      ...heads.map((textContent) => make("span", { role: "columnheader", textContent })),
    );
    this.box.classList.toggle("two", Boolean(content.other));
    this.box.setAttribute("aria-rowcount", String(rows.length + 1));
    this.body.style.height = `${rows.length * HEIGHT + SPARE}px`;
    this.draw();
  }

  /** Selects a row, and scrolls to it if it was elsewhere. @param {string} [key] */
  select(key) {
    const index = this.rows.findIndex((row) => row.key === key);
    const same = key === this.selected && index === this.index;
    Object.assign(this, { selected: key, index });
    if (index >= 0 && !same) {
      const head = find("head").offsetHeight;
      const [top, room] = [index * HEIGHT, this.box.clientHeight - head];
      if (top < this.box.scrollTop) this.box.scrollTop = top;
      const bottom = top + HEIGHT + SPARE;
      if (bottom > this.box.scrollTop + room) this.box.scrollTop = bottom - room;
    }
    this.draw();
  }

  drawNow() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / HEIGHT) - MORE);
    const count = Math.ceil(this.box.clientHeight / HEIGHT) + 2 * MORE;
    const visible = this.rows.slice(first, first + count);
    this.body.replaceChildren(...visible.map((row, i) => this.row(row, first + i)));
    if (visible.some(({ key }) => key === this.selected)) {
      this.box.setAttribute("aria-activedescendant", "selected-row");
    } else {
      this.box.removeAttribute("aria-activedescendant");
    }
  }

  row(row, index) {
    const { annotations, unfolded, done, other } = this.content;
    const annotation = annotationOf(annotations, row);
    const selected = row.key === this.selected;
    const node = make("div", {
      role: "row",
      className: `row ${row.kind}`,
      "aria-rowindex": String(index + 2),
      "aria-level": String(row.depth + 1),
      "aria-selected": String(selected),
    });
    if (selected) node.id = "selected-row";
    if (row.children.length) node.setAttribute("aria-expanded", String(unfolded.has(row.key)));
    node.style.top = `${index * HEIGHT}px`;
    node.dataset.index = String(index);
    node.append(
      cell(done.has(row.key) ? "✓" : "", "tick"),
      this.timeCell(row, unfolded),
      recognisedCell(row),
    );
    if (other) node.append(labelCell(dominantLabel(other.runs, row)));
    node.append(annotationCell(annotation));
    return node;
  }

  timeCell(row, unfolded) {
    const node = cell("", "time");
    node.style.paddingLeft = `${row.depth * 16}px`;
    const fold = row.children.length ? (unfolded.has(row.key) ? "▾" : "▸") : "";
    const arrow = make("span", { className: "fold", textContent: fold, "aria-hidden": "true" });
    const end = make("span", { className: "until", textContent: ` – ${clock(row.end)}` });
    node.append(arrow, clock(row.start), end);
    const notes = [
      row.kind === "recording" && t("whole"),
      row.speaker && speakerName(row.speaker),
      row.channel && t("channel", row),
    ].filter(Boolean);
    if (notes.length) node.append(make("small", { textContent: notes.join(", ") }));
    return node;
  }

  click(event) {
    const index = event.target.closest(".row")?.dataset.index;
    if (index === undefined) return;
    if (event.target.closest(".fold")?.textContent) this.actions.folded(this.rows[index]);
    else this.actions.selected(this.rows[index]);
  }
}

const cell = (textContent, className) =>
  make("span", { role: "gridcell", className, textContent });

/** A cell with the colour and name of a class. */
function labelCell(label, text = emotion(label), className = "named") {
  const node = cell("", className);
  if (label) {
    const swatch = make("i", { className: label === UNCERTAIN ? "swatch unsure" : "swatch" });
    if (label !== UNCERTAIN) swatch.style.backgroundColor = colour(label);
    node.append(swatch);
  }
  node.append(text);
  return node;
}

function recognisedCell(row) {
  const node = labelCell(row.label, shareText(row));
  if (row.label === UNCERTAIN) node.classList.add("grey");
  return node;
}

function annotationCell(annotation) {
  if (!annotation) return cell("", "own");
  const { label, mark, comment } = annotation;
  const node = mark ? cell(t(mark), "own") : labelCell(label, emotion(label), "own");
  if (decided(annotation)) node.classList.add("labelled");
  if (comment) node.append(make("small", { textContent: comment }));
  return node;
}
