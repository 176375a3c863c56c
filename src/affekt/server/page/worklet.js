/** Sends samples of the microphone to the page, in blocks of 43 ms at 48 kHz. */

const BLOCK = 2048;

class Tap extends AudioWorkletProcessor {
  buffer = new Float32Array(BLOCK);
  length = 0;

  process([input]) {
    const samples = input[0];
    if (!samples) return true;
    for (const sample of samples) {
      this.buffer[this.length] = sample;
      this.length += 1;
      if (this.length === BLOCK) {
        this.port.postMessage(this.buffer.slice());
        this.length = 0;
      }
    }
    return true;
  }
}

registerProcessor("tap", Tap);
