/** Colours of classes: the palette of Okabe and Ito, as in the figures of the package. */

const COLOURS = {
  anger: "#D55E00",
  disgust: "#009E73",
  fear: "#CC79A7",
  happiness: "#E69F00",
  neutral: "#999999",
  sadness: "#0072B2",
  surprise: "#F0E442",
  boredom: "#56B4E9",
};
const SPARE = ["#000000", "#7F3C8D", "#11A579", "#A5AA99", "#66461F", "#E73F74"];
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
