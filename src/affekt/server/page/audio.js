/** Audio in the browser: decode to 16 kHz mono, cut, write as WAV. */

export const RATE = 16000;
const MAX_BYTES = 300e6; // larger files are not decoded: no waveform, no playback

/** @param {Blob} blob @returns {Promise<AudioBuffer | null>} null if the browser cannot decode it */
export async function decode(blob) {
  if (blob.size > MAX_BYTES) return null;
  try {
    const context = new OfflineAudioContext(1, 1, RATE);
    return await context.decodeAudioData(await blob.arrayBuffer());
  } catch {
    return null;
  }
}

/** @param {AudioBuffer} buffer @param {number} channel  from 1 on; 0, or one that there is not, for
 * the mean of all @returns {Float32Array} */
export function samplesOf(buffer, channel = 0) {
  if (channel > 0 && channel <= buffer.numberOfChannels) return buffer.getChannelData(channel - 1);
  if (buffer.numberOfChannels === 1) return buffer.getChannelData(0);
  const mean = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel += 1) {
    const samples = buffer.getChannelData(channel);
    for (let i = 0; i < mean.length; i += 1) mean[i] += samples[i] / buffer.numberOfChannels;
  }
  return mean;
}

/** @param {Float32Array} samples  at RATE @param {number} start  seconds
 * @param {number} end  seconds @returns {Float32Array} */
export function cut(samples, start, end) {
  return samples.subarray(Math.round(start * RATE), Math.round(end * RATE));
}

/** 16-bit mono WAV. @param {Float32Array} samples @returns {Uint8Array} */
export function wav(samples, rate) {
  const bytes = new Uint8Array(44 + 2 * samples.length);
  const view = new DataView(bytes.buffer);
  const text = (offset, word) => [...word].forEach((c, i) => (bytes[offset + i] = c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, i) => {
    view.setInt16(44 + 2 * i, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
  });
  return bytes;
}
