/** English or Chinese, chosen by the language of the browser. */

import { EN } from "./texts.en.js";
import { ZH } from "./texts.zh.js";

const ERRORS = { // by status; see errors.py
  401: "令牌缺失或错误",
  403: "请求来自另一个网站",
  404: "没有这个模型或任务",
  408: "录音发送得太慢",
  409: "任务没有完成",
  413: "录音太大或太长",
  415: "请求里没有录音",
  422: "不是录音，或录音已损坏",
  429: "请求过多，请稍后再试",
  500: "服务器内部错误",
  507: "服务器磁盘已满",
};

const NOTICES = { // warnings and reasons of rejection, by the sentence up to its colon
  silent: "静音",
  "nobody speaks": "无人说话",
  "no speech": "无人说话",
  "not speech, or too noisy or too unlike the training data to tell":
    "不是语音，或噪声太大，或与训练数据差别太大",
  "too short": "太短",
  short: "较短",
  long: "较长",
  clipped: "削波",
  truncated: "不完整",
  damaged: "已损坏",
  gaps: "有缺口",
  tracks: "多条音轨",
  antiphase: "声道反相抵消",
  uncalibrated: "置信度未校准",
  "no gain can be shown on these recordings; more of them may show one":
    "在这些录音上看不出改进；录音更多时也许可以",
  "one speaker": "只有一位说话人：这些分数不适用于其他说话人",
  "speakers unknown": "说话人未知：这些分数不适用于其他说话人",
  "new classes, which the old model cannot predict": "有原模型不能识别的新类别",
};

const EMOTIONS = {
  anger: "愤怒",
  disgust: "厌恶",
  fear: "恐惧",
  happiness: "高兴",
  neutral: "中性",
  sadness: "悲伤",
  surprise: "惊讶",
  boredom: "无聊",
  uncertain: "无法判断",
};

export const chinese = /^zh\b/i.test(navigator.language);

/** @param {string} key @param {Object<string, string | number>} values  replace {names} in the text */
export function t(key, values = {}) {
  const text = (chinese ? ZH : EN)[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** An error of the server; in Chinese with the English sentence in parentheses. */
export function errorText(status, sentence) {
  return chinese && ERRORS[status] ? `${ERRORS[status]}（${sentence}）` : sentence;
}

/** A warning or reason of rejection; in Chinese with the English sentence in parentheses. */
export function noticeText(sentence) {
  const translation = chinese && NOTICES[sentence.split(":")[0]];
  return translation ? `${translation}（${sentence}）` : sentence;
}

/** The name of a class in the user's language, or its own name if there is no translation. */
export const emotion = (label) => (chinese && EMOTIONS[label]) || label;

/** The name of a speaker that the server told apart ("speaker 2"), or a given name as it is. */
export const speakerName = (name) => {
  const number = /^speaker (\d+)$/.exec(name)?.[1];
  return number ? t("speakerName", { number }) : name;
};

export const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

/** Replaces the static English texts of the page if the language is Chinese. */
export function translate() {
  if (!chinese) return;
  document.documentElement.lang = "zh";
  for (const node of document.querySelectorAll("[data-word]")) {
    node.textContent = t(node.dataset.word);
  }
  for (const node of document.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", t(node.dataset.label));
  }
  for (const node of document.querySelectorAll("[data-hint]")) {
    node.placeholder = t(node.dataset.hint);
  }
}
