/** Records the microphone: streams to the server meanwhile, and gives a WAV file at the end. */

import { streamSocket } from "./api.js";
import { wav } from "./audio.js";
import { t } from "./i18n.js";

const DRAIN = 1500; // ms to wait for the last messages of the server
const START = 3000; // ms in which the browser must start audio

export class Recorder {
  /** @param {{segment: Function, utterance: Function, problem: Function}} handlers  called while
   *   recording */
  constructor(handlers) {
    this.handlers = handlers;
    this.blocks = [];
    this.length = 0; // samples
  }

  /** Opens the microphone and starts. Messages of its errors are for the user. */
  async start(model) {
    if (!navigator.mediaDevices) throw new Error(t("insecure"));
    const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const audio = { channelCount: 1, ...raw };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      throw new Error(t("noMicrophone", { why: error.message }));
    }
    try {
      await this.connect(model);
    } catch (error) {
      this.stream.getTracks().forEach((track) => track.stop());
      this.context?.close();
      throw error;
    }
  }

  async connect(model) {
    this.context = new AudioContext();
    await this.startAudio();
    await this.context.audioWorklet.addModule(new URL("./worklet.js", import.meta.url));
    this.openStream(model);
    const mono = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" };
    const tap = new AudioWorkletNode(this.context, "tap", mono);
    tap.port.onmessage = ({ data }) => this.addBlock(data);
    this.context.createMediaStreamSource(this.stream).connect(tap);
  }

  /** Starts the clock of audio. Firefox waits for ever where there is no device to play sound. */
  async startAudio() {
    await new Promise((resolve, reject) => {
      const timeout = setTimeout(() => reject(new Error(t("noAudio"))), START);
      this.context.resume().then(() => (clearTimeout(timeout), resolve()), reject);
    });
  }

  /** Opens the live stream; if it fails, recording continues without it. */
  openStream(model) {
    this.socket = streamSocket(model, this.context.sampleRate);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => this.blocks.forEach((block) => this.socket.send(block));
    this.socket.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.segment) this.handlers.segment(message.segment);
      if (message.utterance) this.handlers.utterance(message.utterance);
    };
    this.closed = new Promise((resolve) => {
      this.socket.onclose = ({ code, reason }) => {
        if (code !== 1000) this.handlers.problem(t("noLive", { why: reason || code }));
        resolve();
      };
    });
  }

  /** Whether the server receives the stream. */
  get live() {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** What happens, by the state of the live stream: without it, recording continues. */
  get state() {
    return ["connecting", "listening", "recording", "recording"][this.socket.readyState];
  }

  addBlock(block) {
    this.blocks.push(block);
    this.length += block.length;
    if (this.live) this.socket.send(block);
  }

  get seconds() {
    return this.length / this.context.sampleRate;
  }

  /** Level of the last block in dB, 0 for full scale. */
  get level() {
    const block = this.blocks.at(-1) ?? [];
    const power = block.reduce((sum, sample) => sum + sample * sample, 0) / (block.length || 1);
    return 10 * Math.log10(power + 1e-10);
  }

  /** The largest magnitude of each block after a time. @param {number} from  seconds
   * @returns {{start: number, end: number, peak: number}[]} */
  peaks(from) {
    const found = [];
    let end = this.length;
    for (let i = this.blocks.length - 1; i >= 0 && end > from * this.context.sampleRate; i -= 1) {
      const block = this.blocks[i];
      const peak = block.reduce((max, sample) => Math.max(max, Math.abs(sample)), 0);
      const rate = this.context.sampleRate;
      found.push({ start: (end - block.length) / rate, end: end / rate, peak });
      end -= block.length;
    }
    return found;
  }

  /** @returns {Promise<File>} the recording */
  async stop() {
    this.stream.getTracks().forEach((track) => track.stop());
    await this.context.suspend();
    if (this.live) this.socket.send("end");
    const timeout = new Promise((resolve) => setTimeout(resolve, DRAIN));
    await Promise.race([this.closed, timeout]);
    this.socket.onclose = this.socket.onmessage = null;
    this.socket.close();
    const rate = this.context.sampleRate;
    await this.context.close();
    const samples = new Float32Array(await new Blob(this.blocks).arrayBuffer());
    const when = new Date().toLocaleString("sv").replace(" ", "T").replaceAll(":", "-");
    return new File([wav(samples, rate)], `recording-${when}.wav`, { type: "audio/wav" });
  }
}
