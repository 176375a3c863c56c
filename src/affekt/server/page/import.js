/** Import of an export. Its content is checked as any text from outside. */

import { spanKey } from "./annotations.js";
import { FORMAT, JSON_NAME } from "./export.js";
import { validClass } from "./labelbar.js";
import { unzip } from "./zip.js";
import { t } from "./i18n.js";

const TEXTS = ["speaker", "label", "comment", "recognised", "model"];
const LONGEST = 1000; // characters of a text
const MARKS = ["", "unsure", "unusable"];

/** Whether a file may be an export, by its name. */
export const isExport = ({ name }) => /\.(zip|json)$/i.test(name);

const isText = (value) => typeof value === "string" && value.length <= LONGEST;

/** The annotation that a value describes, or null. */
function annotation(value) {
  const { start, end, channel = 0, mark = "", drawn = false } = value ?? {};
  const times = Number.isFinite(start) && Number.isFinite(end) && start >= 0 && end > start;
  const texts = TEXTS.map((name) => value?.[name] ?? "");
  const valid = times && Number.isInteger(channel) && MARKS.includes(mark) && texts.every(isText);
  if (!valid) return null;
  const own = Object.fromEntries(TEXTS.map((name, i) => [name, texts[i]]));
  return { start, end, channel, mark, drawn: Boolean(drawn), ...own };
}

/** Reads an export. @param {File} file  corrections.zip, or the labels.json within it
 * @returns {Promise<{classes: string[], recordings: {name: string, bytes: number, speaker: string,
 *   annotations: object[]}[]}>} @throws {Error} it is not an export; the message is for the user */
export async function readExport(file) {
  let content;
  try {
    const zipped = /\.zip$/i.test(file.name);
    const bytes = zipped ? await unzip(file, JSON_NAME) : await file.arrayBuffer();
    content = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    content = null;
  }
  const known = content?.format === FORMAT && content.version === 1;
  const { classes = [], recordings } = known ? content : {};
  if (!Array.isArray(recordings)) throw new Error(t("notAnExport", { name: file.name }));
  return {
    classes: classes.filter((name) => isText(name) && validClass(name, []) === name),
    recordings: recordings
      .filter((one) => isText(one?.name) && Array.isArray(one.annotations))
      .map(({ name, bytes, speaker, annotations }) => ({
        name,
        bytes: Number(bytes) || 0,
        speaker: isText(speaker) ? speaker : "",
        annotations: annotations.map(annotation).filter(Boolean),
      })),
  };
}

/** The change that brings imported annotations into a recording; those of other spans stay. */
export function importing(current, imported) {
  const keys = new Map(imported.map((one) => [spanKey(one), one]));
  return { removed: current.filter((one) => keys.has(spanKey(one))), added: [...keys.values()] };
}

/** Whether an imported recording is one that is here. */
export const sameRecording = (one, other) =>
  one.name === other.name && (!one.bytes || !other.bytes || one.bytes === other.bytes);
