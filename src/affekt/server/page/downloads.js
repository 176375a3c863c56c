/** Downloads of the result in other formats. */

import * as api from "./api.js";
import { announce, find, make } from "./dom.js";
import { t } from "./i18n.js";

const FORMATS = [ // name in the API, name on the page, file extension
  ["csv", "CSV", "csv"],
  ["textgrid", "TextGrid", "TextGrid"],
  ["srt", "SRT", "srt"],
];

/** Shows links to the result. They are fetched by script, since a plain link sends no token. */
export function showDownloads(job, name) {
  const box = find("downloads");
  box.replaceChildren();
  if (job?.status !== "done") return;
  const stem = name.replace(/\.[^.]*$/, "");
  box.append(`${t("download")} `);
  for (const [format, textContent, extension] of FORMATS) {
    const link = make("a", { href: api.resultPath(job.id, format), textContent });
    link.onclick = async (event) => {
      event.preventDefault();
      try {
        api.save(await api.result(job.id, format), `${stem}.${extension}`);
      } catch (error) {
        announce(error.message);
      }
    };
    box.append(link, " ");
  }
}
