/**
 * Colours of classes. Any two of the named classes differ by at least 15 (CIEDE2000), also as seen
 * with protanopia, deuteranopia and tritanopia, and each has a contrast of at least 3 to 1 to the
 * light and to the dark ground. The spare colours have the same contrast and differ from all others
 * by at least 15 in CIELAB (CIE 1976). `tests/server/page/test_accessibility.py` computes this.
 */

export const COLOURS = {
  anger: "#b43c00",
  disgust: "#546c54",
  fear: "#903cc0",
  happiness: "#e46c00",
  neutral: "#6c6078",
  sadness: "#9c78ff",
  surprise: "#609c84",
  boredom: "#9c84a8",
};
export const SPARE = ["#603cff", "#c08454", "#a848a8", "#a84830"];
const assigned = new Map(); // other classes and the spare colours assigned to them

/** @param {string} label @returns {string} */
export function colour(label) {
  if (Object.hasOwn(COLOURS, label)) return COLOURS[label];
  if (!assigned.has(label)) assigned.set(label, SPARE[assigned.size % SPARE.length]);
  return assigned.get(label);
}

/** Text colour on a background: black or white, whichever has more contrast (WCAG). */
export function textColour(hex) {
  const linear = [1, 3, 5].map((i) => {
    const value = parseInt(hex.slice(i, i + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.179 ? "#000" : "#fff";
}

/** The value of a custom property of the style sheet, such as a colour of the theme. */
export function cssValue(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
