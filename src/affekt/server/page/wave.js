/** The waveform and the player: wavesurfer.js around one audio element. */

import WaveSurfer from "./vendor/wavesurfer.esm.js";
import { cssValue } from "./colours.js";
import { RATE } from "./audio.js";

export class Wave {
  /** @param {HTMLElement} container
   * @param {{moved: (time: number) => void, playing: (now: boolean) => void}} handlers */
  constructor(container, handlers) {
    this.handlers = handlers;
    this.audio = new Audio();
    this.duration = 0;
    this.time = 0;
    this.surfer = WaveSurfer.create({
      container,
      media: this.audio,
      height: 96,
      interact: false, // the axis around it handles clicks
      cursorWidth: 0,
      cspNonce: document.getElementById("style").nonce,
      ...this.colours(),
    });
    this.surfer.on("timeupdate", (time) => this.move(time));
    this.surfer.on("play", () => handlers.playing(true));
    this.surfer.on("pause", () => this.paused());
    this.surfer.on("error", () => undefined); // the view says that a file cannot be played
  }

  colours() {
    return { waveColor: cssValue("--wave"), progressColor: cssValue("--played") };
  }

  recolour() {
    this.surfer.setOptions(this.colours());
  }

  /** @param {Float32Array | null} samples  null if the browser cannot decode the file */
  async show(blob, samples, duration) {
    this.clear();
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = samples ? URL.createObjectURL(blob) : "";
    this.playable = samples !== null;
    this.duration = samples ? samples.length / RATE : duration;
    this.part = null;
    const drawn = samples ?? new Float32Array(2);
    await this.surfer.load(this.address, [drawn], this.duration).catch(() => undefined);
    this.seek(0);
  }

  /** Empties the player until the next recording is shown. */
  clear() {
    this.pause();
    this.duration = 0;
    this.playable = true;
  }

  move(time) {
    this.time = Math.min(time, this.duration);
    this.handlers.moved(this.time);
  }

  seek(time) {
    this.part = null;
    const target = Math.max(0, Math.min(time, this.duration));
    if (this.playable) this.surfer.setTime(target);
    this.move(target);
  }

  /** Plays from one time to another and then returns to the start. */
  async play(start, end) {
    this.seek(start);
    if (!this.playable) return;
    this.part = { start, end };
    await this.surfer.play(start, end).catch(() => undefined);
  }

  paused() {
    this.handlers.playing(false);
    if (this.part && this.audio.currentTime >= this.part.end - 0.05) this.seek(this.part.start);
  }

  pause() {
    this.surfer.pause();
  }

  toggle() {
    this.part = null;
    if (this.playable) this.surfer.playPause().catch(() => undefined);
  }
}
