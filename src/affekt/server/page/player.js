/** Plays a recording or a part of it, at any speed, once or in a loop. */

export class Player {
  /** @param {{moved: (time: number) => void, playing: (now: boolean) => void}} handlers */
  constructor(handlers) {
    this.handlers = handlers;
    this.audio = new Audio();
    this.audio.preservesPitch = true;
    this.part = null; // {start, end} that is played
    this.loop = false;
    this.duration = 0;
    this.time = 0;
    this.playable = false;
    this.audio.onplay = () => {
      handlers.playing(true);
      this.tick();
    };
    this.audio.onpause = () => handlers.playing(false);
    this.audio.onended = () => this.ended();
    this.audio.ontimeupdate = () => this.playing && this.follow(); // in a tab that is not shown
  }

  /** @param {Blob | null} blob  null if the browser cannot play it @param {number} duration  s */
  open(blob, duration) {
    this.close();
    this.duration = duration;
    this.playable = blob !== null;
    if (!blob) return;
    this.address = URL.createObjectURL(blob);
    this.audio.src = this.address;
    this.audio.playbackRate = this.audio.defaultPlaybackRate;
  }

  close() {
    this.audio.pause();
    this.audio.removeAttribute("src");
    if (this.address) URL.revokeObjectURL(this.address);
    Object.assign(this, { address: "", part: null, playable: false, duration: 0 });
    this.move(0);
  }

  set speed(value) {
    this.audio.defaultPlaybackRate = this.audio.playbackRate = value;
  }

  get playing() {
    return !this.audio.paused;
  }

  /** Follows the playback at each frame until it pauses. */
  tick() {
    if (!this.playing) return;
    this.follow();
    requestAnimationFrame(() => this.tick());
  }

  follow() {
    const { currentTime } = this.audio;
    if (this.part && currentTime >= this.part.end) this.ended();
    else this.move(currentTime);
  }

  /** The part or recording has been played: again, or back to its start. */
  ended() {
    const { start } = this.part ?? { start: 0 };
    if (this.loop) {
      this.audio.currentTime = start;
      if (this.audio.paused) this.start();
      return;
    }
    this.audio.pause();
    if (this.part) this.audio.currentTime = start;
    this.move(this.part ? start : this.duration);
  }

  move(time) {
    this.time = Math.max(0, Math.min(time, this.duration));
    this.handlers.moved(this.time);
  }

  seek(time) {
    this.part = null;
    this.move(time);
    if (this.playable) this.audio.currentTime = this.time;
  }

  /** Plays from one time to another, and returns to the start. */
  play(start, end) {
    this.seek(start);
    this.part = { start, end };
    this.start();
  }

  start() {
    if (this.playable) this.audio.play().catch(() => undefined); // replaced by another recording
  }

  pause() {
    this.audio.pause();
  }

  toggle() {
    if (this.playing) return this.pause();
    if (this.time >= this.duration - 0.01) this.seek(0);
    return this.start();
  }
}
