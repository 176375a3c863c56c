/** Synthetic recordings to try the page with. */

import { announce, find, make } from "./dom.js";
import { t } from "./i18n.js";

const SAMPLES = ["lively", "flat", "mixed"];

/** @param {(files: File[]) => void} add */
export function initSamples(add) {
  find("samples").replaceChildren(...SAMPLES.map((name) => make("li", {}, button(name, add))));
}

function button(name, add) {
  const title = make("strong", { textContent: t(`sample-${name}`) });
  const note = make("span", { className: "hint", textContent: t(`sampleText-${name}`) });
  const file = `${name}.flac`;
  const onclick = async () => {
    const answer = await fetch(new URL(`./samples/${file}`, import.meta.url)).catch(() => null);
    if (!answer?.ok) return announce(t("unreachable"));
    return add([new File([await answer.blob()], `synthetic-${file}`, { type: "audio/flac" })]);
  };
  return make("button", { type: "button", onclick }, title, note);
}
