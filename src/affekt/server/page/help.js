/** The help: what the page does, and its keys. */

import { find, make } from "./dom.js";
import { KEYS } from "./keys.js";
import { t } from "./i18n.js";

/** Fills the help dialog. @param {{keys: boolean, changed: (keys: boolean) => void}} options  keys:
 *   whether single keys are on */
export function initHelp({ keys, changed }) {
  const close = make("button", { type: "button", textContent: t("close") });
  close.onclick = () => find("help").close();
  const title = make("h2", { id: "help-title", textContent: t("help") });
  const on = make("input", { type: "checkbox", checked: keys });
  on.onchange = () => changed(on.checked);
  const groups = KEYS.map(([heading, bindings]) => {
    const list = make("dl", {}, ...bindings.flatMap(({ action, keys: [first], shown }) => [
      make("dt", {}, make("kbd", { textContent: shown ?? first.toUpperCase() })),
      make("dd", { textContent: t(`key-${action}`) }),
    ]));
    return make("section", {}, make("h3", { textContent: t(heading) }), list);
  });
  const notes = ["helpMouse", "helpLanes", "helpUncertain", "helpKept", "helpExport"].map((word) =>
    make("p", { textContent: t(word) }));
  const command = make("code", {
    textContent: "affekt adapt corrections/manifest.csv --from default --out my-model",
  });
  find("help").replaceChildren(
    make("header", {}, title, close),
    make("div", { className: "keys" }, ...groups),
    make("label", { className: "check" }, on, ` ${t("keysOn")}`),
    ...notes,
    make("p", {}, command),
  );
}
