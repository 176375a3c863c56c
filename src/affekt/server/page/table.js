/** The table of parts of a recording: play and label them by mouse, keyboard or screen reader. */

import { clock } from "./bands.js";
import { colour } from "./colours.js";
import { announce, englishText, find, make, moveFocus } from "./dom.js";
import { allParts, dominantLabel, parts, UNCERTAIN } from "./timeline.js";
import { emotion, noticeText, percent, speakerName, t } from "./i18n.js";

export class Table {
  /** @param {{play: Function, seek: Function, label: Function}} actions  called with the part */
  constructor(actions) {
    this.actions = actions;
    this.rows = [];
    find("parts").addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {import("./timeline.js").Prediction[]} predictions
   * @param {string[]} labels  classes of the model
   * @param {import("./corrections.js").Corrections} corrections
   * @param {{name: string, predictions: object[]} | null} other  the model to compare with
   */
  show(predictions, labels, corrections, other) {
    this.labels = labels;
    this.corrections = corrections;
    this.other = other && { name: other.name, parts: other.predictions.flatMap(allParts) };
    const heads = [t("time"), t("recognised"), ...(other ? [other.name] : []), t("yourLabel")];
    find("head").replaceChildren(
      ...heads.map((textContent) => make("th", { textContent, scope: "col" })),
    );
    const focused = this.rows.findIndex(({ button }) => button === document.activeElement);
    this.rows = this.all(predictions).map((part) => this.row(part));
    find("parts").replaceChildren(...this.rows.map(({ row }) => row));
    find("table").hidden = !this.rows.length;
    if (this.rows.length) this.makeTabStop(this.rows[0].button);
    if (focused >= 0) this.rows[focused]?.button.focus();
  }

  /** The parts, and labelled spans that are parts under another model only. */
  all(predictions) {
    const own = parts(predictions);
    const known = new Set(own.map((part) => this.corrections.get(part)).filter(Boolean));
    const more = this.corrections.all.filter((label) => !known.has(label));
    const others = more.map(({ start, end }) => ({ start, end, label: "", whole: false }));
    return [...own, ...others].sort((a, b) => a.start - b.start || b.end - a.end);
  }

  row(part) {
    const span = `${clock(part.start)} – ${clock(part.end)}`;
    const range = t("span", { start: clock(part.start), end: clock(part.end) });
    const name = part.whole ? t("wholeSpan", { span }) : range;
    const button = make("button", {
      type: "button",
      className: "part",
      tabIndex: -1,
      textContent: `▶ ${span}`,
      "aria-label": t("playPart", { what: name, label: partText(part) }),
    });
    button.onclick = () => this.actions.play(part);
    button.onfocus = () => {
      this.makeTabStop(button);
      this.actions.seek(part);
    };
    const select = make("select", { tabIndex: -1, "aria-label": t("labelPart", { what: name }) });
    select.onfocus = () => this.fill(select, part);
    select.onpointerenter = select.onfocus;
    select.onchange = () => this.label(part, select.value);
    const row = make("tr", { className: part.whole ? "whole" : "" });
    const time = make("td", {}, button);
    if (part.whole) time.append(make("small", { textContent: t("whole") }));
    if (part.speaker) time.append(make("small", { textContent: speakerName(part.speaker) }));
    if (part.channel) time.append(make("small", { textContent: t("channel", part) }));
    row.append(time, recognisedCell(part));
    if (this.other) row.append(labelCell(dominantLabel(this.other.parts, part)));
    row.append(make("td", {}, select));
    const entry = { part, row, button, select, name };
    this.mark(entry);
    return entry;
  }

  /** Creates the options on demand: a long recording has thousands of parts. */
  fill(select, part) {
    if (select.options.length > 1) return;
    const chosen = this.corrections.get(part)?.label ?? "";
    const empty = make("option", { value: "", textContent: t("unchanged") });
    const options = this.labels.map((label, i) =>
      make("option", { value: label, textContent: `${i + 1} ${emotion(label)}` }),
    );
    select.replaceChildren(empty, ...options);
    select.value = chosen;
  }

  label(part, label) {
    this.actions.label(part, label);
    for (const row of this.rows) this.mark(row);
    const { name } = this.rows.find((row) => row.part === part);
    announce(t(label ? "labelSet" : "labelRemoved", { what: name, label: emotion(label) }));
  }

  mark({ part, row, select }) {
    const label = this.corrections.get(part)?.label ?? "";
    row.classList.toggle("labelled", label !== "");
    if (select.options.length > 1) {
      select.value = label;
      return;
    }
    const text = label ? emotion(label) : t("unchanged");
    select.replaceChildren(make("option", { value: label, textContent: text }));
  }

  makeTabStop(button) {
    for (const row of this.rows) {
      const tabIndex = row.button === button ? 0 : -1;
      row.button.tabIndex = tabIndex;
      row.select.tabIndex = tabIndex;
    }
  }

  key(event) {
    if (moveFocus(event, this.rows.map(({ button }) => button))) return;
    const row = this.rows.find(({ button }) => button === event.target);
    const unmodified = !event.ctrlKey && !event.altKey && !event.metaKey;
    if (!row || !unmodified || !/^[0-9]$/.test(event.key)) return;
    const label = event.key === "0" ? "" : this.labels[Number(event.key) - 1];
    if (label !== undefined) this.label(row.part, label);
  }
}

/** The probability of a part's label, or "" if it has none. */
const share = ({ label, share }) => (label && label !== UNCERTAIN ? percent(share) : "");

const partText = (part) => `${emotion(part.label)} ${share(part)}`.trim();

/** A cell with the colour and name of a class. */
function labelCell(label) {
  const name = make("span", { className: "named" });
  if (label && label !== UNCERTAIN) {
    const swatch = make("span", { className: "swatch", "aria-hidden": "true" });
    swatch.style.backgroundColor = colour(label);
    name.append(swatch);
  }
  name.append(emotion(label));
  return make("td", {}, name);
}

function recognisedCell(part) {
  const cell = labelCell(part.label);
  cell.append(" ", share(part));
  if (part.second) {
    cell.append(make("small", { textContent: t("or", { label: emotion(part.second) }) }));
  }
  if (part.reason && part.whole) cell.append(englishText("small", noticeText(part.reason)));
  return cell;
}
