/** Spectrogram and pitch of a window of the recording, computed when they are shown. */

import { RATE } from "./audio.js";
import { fitted, toPixels } from "./canvas.js";
import { cssValue } from "./colours.js";

const SIZE = 512; // samples of a Fourier transform, 32 ms
const HEIGHT = 96; // px, one for each 83 Hz
const RANGE = 60; // dB below the loudest that are drawn
const PITCH = { low: 60, high: 450, step: 0.01, voiced: 0.25 }; // Hz, Hz, s, YIN's threshold
const HANN = Float64Array.from({ length: SIZE }, (_, i) =>
  0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE));

/** Fourier transform in place, with a length that is a power of two (Cooley and Tukey 1965). */
export function fft(real, imaginary) {
  const n = real.length;
  for (let i = 1, j = 0; i < n; i += 1) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [real[i], real[j]] = [real[j], real[i]];
    if (i < j) [imaginary[i], imaginary[j]] = [imaginary[j], imaginary[i]];
  }
  for (let size = 2; size <= n; size *= 2) {
    const angle = (-2 * Math.PI) / size;
    for (let k = 0; k < size / 2; k += 1) {
      const [cos, sin] = [Math.cos(angle * k), Math.sin(angle * k)];
      for (let a = k; a < n; a += size) {
        const b = a + size / 2;
        const re = real[b] * cos - imaginary[b] * sin;
        const im = real[b] * sin + imaginary[b] * cos;
        [real[b], imaginary[b]] = [real[a] - re, imaginary[a] - im];
        [real[a], imaginary[a]] = [real[a] + re, imaginary[a] + im];
      }
    }
  }
}

/** Power of SIZE samples around a time, from 0 to 8 kHz. @returns {Float64Array} (SIZE / 2) dB */
export function powers(samples, time) {
  const first = Math.round(time * RATE) - SIZE / 2;
  const real = Float64Array.from(HANN, (weight, i) => weight * (samples[first + i] ?? 0));
  const imaginary = new Float64Array(SIZE);
  fft(real, imaginary);
  const decibels = (re, i) => 10 * Math.log10(re ** 2 + imaginary[i] ** 2 + 1e-9);
  return real.subarray(0, SIZE / 2).map(decibels);
}

/** Fundamental frequency at a time, by YIN (de Cheveigné and Kawahara 2002).
 * @returns {number} Hz; 0 where there is no voice */
export function pitchAt(samples, time) {
  const longest = Math.floor(RATE / PITCH.low);
  const shortest = Math.floor(RATE / PITCH.high);
  const first = Math.round(time * RATE) - longest;
  if (first < 0 || first + 2 * longest > samples.length) return 0;
  const differences = new Float64Array(longest + 1);
  for (let lag = 1; lag <= longest; lag += 1) {
    for (let i = first; i < first + longest; i += 1) {
      differences[lag] += (samples[i] - samples[i + lag]) ** 2;
    }
  }
  let sum = 0;
  for (let lag = 1; lag <= longest; lag += 1) {
    sum += differences[lag];
    differences[lag] = sum > 1e-6 ? (differences[lag] * lag) / sum : 1;
  }
  for (let lag = shortest; lag < longest; lag += 1) {
    const [here, next] = differences.subarray(lag, lag + 2);
    if (here < PITCH.voiced && here <= next) return RATE / lag;
  }
  return 0;
}

/** @param {HTMLCanvasElement} canvas @param {Float32Array} samples
 * @param {import("./canvas.js").Window} window
 * @param {{spectrogram: boolean, pitch: boolean}} shown */
export function drawSpectrum(canvas, samples, window, shown) {
  const { context, width } = fitted(canvas, HEIGHT);
  if (shown.spectrogram) drawSpectrogram(context, samples, window, width);
  if (shown.pitch) drawPitch(context, samples, window, width);
}

function drawSpectrogram(context, samples, { from, to }, width) {
  const columns = Array.from({ length: width }, (_, x) =>
    powers(samples, from + ((x + 0.5) / width) * (to - from)));
  const louder = (max, column) => column.reduce((a, b) => Math.max(a, b), max);
  const loudest = columns.reduce(louder, -90);
  context.fillStyle = cssValue("--text");
  const bins = SIZE / 2 / HEIGHT;
  columns.forEach((column, x) => {
    for (let y = 0; y < HEIGHT; y += 1) {
      const alpha = 1 + (column[Math.floor(y * bins)] - loudest) / RANGE;
      if (alpha <= 0.02) continue;
      context.globalAlpha = alpha;
      context.fillRect(x, HEIGHT - 1 - y, 1, 1);
    }
  });
  context.globalAlpha = 1;
}

/** Draws pitch on a logarithmic axis from PITCH.low to PITCH.high. */
function drawPitch(context, samples, window, width) {
  const x = toPixels(window, width);
  const y = (hertz) =>
    HEIGHT * (1 - Math.log(hertz / PITCH.low) / Math.log(PITCH.high / PITCH.low));
  const step = Math.max(PITCH.step, (2 * (window.to - window.from)) / width);
  for (let time = window.from; time < window.to; time += step) {
    const hertz = pitchAt(samples, time);
    if (!hertz) continue;
    context.fillStyle = cssValue("--ground");
    context.fillRect(x(time) - 1, y(hertz) - 2, 4, 5);
    context.fillStyle = cssValue("--accent");
    context.fillRect(x(time), y(hertz) - 1, 2, 3);
  }
  context.fillStyle = cssValue("--text");
  for (const hertz of [100, 200, 400]) context.fillText(`${hertz} Hz`, 3, y(hertz));
}
