/** The result as files of other programs. */

import * as api from "./api.js";
import { find, make } from "./dom.js";
import { t } from "./words.js";

const FORMATS = [ // the server's name, ours, the file's ending
  ["csv", "CSV", "csv"],
  ["textgrid", "TextGrid", "TextGrid"],
  ["srt", "SRT", "srt"],
];

/** Links to the result in other programs' formats; fetched, since a link carries no token. */
export function offer(job, name) {
  const box = find("downloads");
  box.replaceChildren();
  if (job?.status !== "done") return;
  const stem = name.replace(/\.[^.]*$/, "");
  box.append(`${t("download")} `);
  for (const [format, textContent, ending] of FORMATS) {
    const link = make("a", { href: api.resultPath(job.id, format), textContent });
    link.onclick = async (event) => {
      event.preventDefault();
      try {
        api.save(await api.result(job.id, format), `${stem}.${ending}`);
      } catch (error) {
        find("export-problem").textContent = error.message;
      }
    };
    box.append(link, " ");
  }
}
