/** Helpers for the document. Text is inserted as text, never as markup. */

/** @param {string} id @returns {any} */
export const find = (id) => document.getElementById(id);

/** @param {string} tag @param {Object<string, any>} properties  "aria-…", "role" and "lang" become
 * attributes @param {...(Node | string)} children */
export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria-|role$|lang$|scope$)/.test(name)) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/** An element with text of the server, which is English in both languages of the page. */
export const englishText = (tag, text, properties = {}) =>
  make(tag, { textContent: text, lang: "en", ...properties });

/** Shows a status message, which screen readers announce too. */
export const announce = (text) => (find("status").textContent = text);

/** Moves the focus by arrow keys among buttons of which one is in the tab order.
 * @returns {boolean} whether the key was handled */
export function moveFocus(event, buttons) {
  const index = buttons.indexOf(event.target);
  if (index < 0) return false;
  const last = buttons.length - 1;
  const targets = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: last };
  const target = targets[event.key];
  if (target === undefined) return false;
  event.preventDefault();
  buttons[Math.max(0, Math.min(last, target))].focus();
  return true;
}

/** A function that draws once, at the next frame, however often it is called before. */
export function perFrame(draw) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}
