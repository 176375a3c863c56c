/** Hands what the microphone hears to the page, some 40 ms at a time. */

const BLOCK = 2048;

class Tap extends AudioWorkletProcessor {
  held = new Float32Array(BLOCK);
  filled = 0;

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    for (const sample of samples) {
      this.held[this.filled] = sample;
      this.filled += 1;
      if (this.filled === BLOCK) {
        this.port.postMessage(this.held.slice());
        this.filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("tap", Tap);
