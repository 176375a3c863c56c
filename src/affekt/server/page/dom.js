/** Small helpers for the document. Text goes in as text, never as markup. */

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

/** What the server says, marked as English. */
export const said = (tag, text, properties = {}) =>
  make(tag, { textContent: text, lang: "en", ...properties });

export const say = (text) => (find("status").textContent = text);

/** Arrow keys move the focus among buttons of which one is in the tab order. */
export function rove(event, buttons) {
  const here = buttons.indexOf(event.target);
  if (here < 0) return false;
  const last = buttons.length - 1;
  const places = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: last };
  const place = places[event.key];
  if (place === undefined) return false;
  event.preventDefault();
  buttons[Math.max(0, Math.min(last, place))].focus();
  return true;
}
