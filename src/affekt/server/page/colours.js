/** Colours of classes: those of Okabe and Ito, the same as in the package's pictures. */

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
const spared = new Map(); // class without a colour of its own -> the one it was given

/** @param {string} label @returns {string} */
export function colour(label) {
  if (Object.hasOwn(COLOURS, label)) return COLOURS[label];
  if (!spared.has(label)) spared.set(label, SPARE[spared.size % SPARE.length]);
  return spared.get(label);
}

/** Black or white, whichever can be read on a colour. */
export function ink(hex) {
  const linear = [1, 3, 5].map((i) => {
    const value = parseInt(hex.slice(i, i + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return luminance > 0.179 ? "#000" : "#fff";
}

/** A colour of the style sheet, which differs between light and dark. */
export function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
