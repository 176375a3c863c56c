/** The parts of a recording as a table: hear them, label them, also without eyes or mouse. */

import { clock } from "./bands.js";
import { colour } from "./colours.js";
import { find, make, rove, said, say } from "./dom.js";
import { mostly, parts, pieces, UNCERTAIN } from "./moments.js";
import { emotion, percent, remark, t } from "./words.js";

export class Table {
  /** @param {{play: Function, seek: Function, label: Function}} told  each with the part */
  constructor(told) {
    this.told = told;
    this.rows = [];
    find("parts").addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * @param {import("./moments.js").Prediction[]} predictions
   * @param {string[]} labels  classes to choose from
   * @param {import("./corrections.js").Corrections} corrections
   * @param {{name: string, predictions: object[]} | null} other  the model compared with
   */
  show(predictions, labels, corrections, other) {
    this.labels = labels;
    this.corrections = corrections;
    this.other = other && { name: other.name, pieces: other.predictions.flatMap(pieces) };
    const heads = [t("time"), t("recognised"), ...(other ? [other.name] : []), t("yours")];
    find("head").replaceChildren(
      ...heads.map((textContent) => make("th", { textContent, scope: "col" })),
    );
    const held = this.rows.findIndex(({ button }) => button === document.activeElement);
    this.rows = this.all(predictions).map((part) => this.row(part));
    find("parts").replaceChildren(...this.rows.map(({ row }) => row));
    find("table").hidden = !this.rows.length;
    if (this.rows.length) this.only(this.rows[0].button);
    if (held >= 0) this.rows[held]?.button.focus();
  }

  /** Parts, and spans that were labelled when another model was shown. */
  all(predictions) {
    const found = parts(predictions);
    const known = new Set(found.map((part) => this.corrections.get(part)).filter(Boolean));
    const more = this.corrections.all.filter((given) => !known.has(given));
    const others = more.map(({ start, end }) => ({ start, end, label: "", whole: false }));
    return [...found, ...others].sort((a, b) => a.start - b.start || b.end - a.end);
  }

  row(part) {
    const span = `${clock(part.start)} – ${clock(part.end)}`;
    const what = t("span", { start: clock(part.start), end: clock(part.end) });
    const name = part.whole ? t("wholeSpan", { span }) : what;
    const button = make("button", {
      type: "button",
      className: "part",
      tabIndex: -1,
      textContent: `▶ ${span}`,
      "aria-label": t("playPart", { what: name, label: spoken(part) }),
    });
    button.onclick = () => this.told.play(part);
    button.onfocus = () => {
      this.only(button);
      this.told.seek(part);
    };
    const select = make("select", { tabIndex: -1, "aria-label": t("labelPart", { what: name }) });
    select.onfocus = () => this.fill(select, part);
    select.onpointerenter = select.onfocus;
    select.onchange = () => this.label(part, select.value);
    const row = make("tr", { className: part.whole ? "whole" : "" });
    const time = make("td", {}, button);
    if (part.whole) time.append(make("small", { textContent: t("whole") }));
    if (part.channel) time.append(make("small", { textContent: t("channel", part) }));
    row.append(time, recognised(part));
    if (this.other) row.append(named(mostly(this.other.pieces, part)));
    row.append(make("td", {}, select));
    const made = { part, row, button, select, name };
    this.mark(made);
    return made;
  }

  /** Options are made when they are needed: a long recording has thousands of parts. */
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
    this.told.label(part, label);
    for (const row of this.rows) this.mark(row);
    const { name } = this.rows.find((row) => row.part === part);
    say(t(label ? "set" : "taken", { what: name, label: emotion(label) }));
  }

  mark({ part, row, select }) {
    const given = this.corrections.get(part)?.label ?? "";
    row.classList.toggle("labelled", given !== "");
    if (select.options.length > 1) {
      select.value = given;
      return;
    }
    const text = given ? emotion(given) : t("unchanged");
    select.replaceChildren(make("option", { value: given, textContent: text }));
  }

  only(button) {
    for (const row of this.rows) {
      const here = row.button === button;
      row.button.tabIndex = here ? 0 : -1;
      row.select.tabIndex = here ? 0 : -1;
    }
  }

  key(event) {
    if (rove(event, this.rows.map(({ button }) => button))) return;
    const row = this.rows.find(({ button }) => button === event.target);
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey;
    if (!row || !plain || !/^[0-9]$/.test(event.key)) return;
    const label = event.key === "0" ? "" : this.labels[Number(event.key) - 1];
    if (label !== undefined) this.label(row.part, label);
  }
}

/** How probable a part's label is; nothing where there is none. */
const share = ({ label, share }) => (label && label !== UNCERTAIN ? percent(share) : "");

const spoken = (part) => `${emotion(part.label)} ${share(part)}`.trim();

/** A class by colour and by name. */
function named(label) {
  const name = make("span", { className: "named" });
  if (label && label !== UNCERTAIN) {
    const swatch = make("span", { className: "swatch", "aria-hidden": "true" });
    swatch.style.backgroundColor = colour(label);
    name.append(swatch);
  }
  name.append(emotion(label));
  return make("td", {}, name);
}

function recognised(part) {
  const cell = named(part.label);
  cell.append(" ", share(part));
  if (part.reason && part.whole) cell.append(said("small", remark(part.reason)));
  return cell;
}
