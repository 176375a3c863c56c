/** Questions to the user in a dialog. */

import { find, make } from "./dom.js";
import { t } from "./i18n.js";

/** @param {string} text @param {{input?: string, action: string}} options  input: label of a text
 *   field, if an answer in words is wanted; action: text of the button that agrees
 * @returns {Promise<string | null>} the answer, "" without a text field; null if it was refused */
export function ask(text, { input = "", action }) {
  const dialog = find("ask");
  const field = make("input", { name: "answer", autocomplete: "off", maxLength: 40 });
  field.required = input !== "";
  const agree = make("button", { textContent: action, value: "yes" });
  const cancel = make("button", { type: "button", textContent: t("cancel") });
  cancel.onclick = () => dialog.close("");
  const form = make("form", { method: "dialog" },
    make("p", { id: "ask-text", textContent: text }),
    ...(input ? [make("label", {}, input, " ", field)] : []),
    make("p", { className: "answers" }, agree, cancel));
  dialog.replaceChildren(form);
  dialog.returnValue = "";
  dialog.showModal();
  (input ? field : agree).focus();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes" ? field.value : null);
  });
}
