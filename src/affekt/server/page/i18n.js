/** Texts of the page in English and Chinese, chosen by the language of the browser. */

const EN = { // static texts are in index.html
  none: "none",
  record: "Record",
  stop: "Stop recording",
  play: "Play",
  pause: "Pause",
  waiting: "waiting",
  sending: "sending",
  busy: "server busy, retrying",
  queued: "queued",
  running: "running, {percent} %",
  failed: "failed",
  retry: "Try again",
  remove: "Remove {name} from the list",
  noSpeech: "No speech here.",
  utterances: "{count} utterances, mostly {label}",
  reason: "Reason: {reason}",
  modelLine: "Model {model}. License: {license}",
  lane: "{model}: probabilities over time, with attention below",
  time: "Time (s)",
  recognised: "Recognised",
  yourLabel: "Your label",
  unchanged: "–",
  whole: "overall",
  wholeSpan: "overall, {span} s",
  span: "{start} to {end} s",
  channel: "channel {channel}",
  speakerName: "speaker {number}",
  or: "or {label}",
  playPart: "Play {what}: {label}",
  labelPart: "Your label for {what}",
  labelSet: "Your label for {what}: {label}",
  labelRemoved: "Your label for {what} was removed",
  done: "{name}: {label}",
  live: "{seconds} s: {label}",
  connecting: "connecting",
  listening: "listening",
  recording: "recording",
  noLive: "No live result: {why}. Recording continues.",
  insecure: "Browsers allow the microphone only on https pages and on localhost.",
  noMicrophone: "No microphone: {why}.",
  unreachable: "The server does not answer. Is it still running?",
  export: "Export corrections ({count})",
  exported: "Corrections exported: {count}",
  notExported: "This browser cannot decode {names}; its corrections were not exported.",
  download: "Download the result as",
  yourLane: "your labels",
};

const ZH = {
  tagline: "语音情感识别",
  model: "模型",
  speakers: "说话人数",
  speakersOne: "一人",
  speakersAuto: "自动区分",
  compare: "对比",
  limits: "识别会出错，对与训练数据差别较大的声音和语言更是如此。不得据此对人作出决定。",
  token: "此服务器的访问令牌",
  tokenSend: "使用",
  recordings: "录音",
  drop: "把文件拖到这里，或点击选择",
  stays: "文件只发送到此服务器。",
  listKeys: "方向键在列表中移动，回车打开录音，Delete 将其移出列表。",
  undecodable: "浏览器无法解码此文件：没有波形，不能播放，也不能导出片段。",
  zoomIn: "放大",
  zoomOut: "缩小",
  axis: "录音中的位置",
  attentionKey: "注意力：彩带下方的条纹越明显，该时刻对结果的影响越大。",
  axisKeys: "点击可移动光标并播放该片段；方向键移动，空格键播放。",
  atCursor: "光标处",
  parts: "片段与您的更正",
  partKeys: "方向键在片段间移动，回车或空格播放，1 至 9 按列表顺序设置标签，0 撤销您的标签。",
  speaker: "说话人",
  adaptHint: "解压导出文件后即可用来适配模型；至少需要两种标签，每种至少两个片段：",
  none: "无",
  record: "录音",
  stop: "停止录音",
  play: "播放",
  pause: "暂停",
  waiting: "等待中",
  sending: "正在发送",
  busy: "服务器繁忙，正在重试",
  queued: "排队中",
  running: "识别中，{percent} %",
  failed: "失败",
  retry: "重试",
  remove: "将 {name} 移出列表",
  noSpeech: "此处没有语音。",
  utterances: "{count} 个语句，多数为{label}",
  reason: "原因：{reason}",
  modelLine: "模型 {model}。使用许可：{license}",
  lane: "{model}：概率随时间的变化，下方为注意力",
  time: "时间（秒）",
  recognised: "识别结果",
  yourLabel: "您的标签",
  unchanged: "–",
  whole: "总体",
  wholeSpan: "总体，{span} 秒",
  span: "{start} 至 {end} 秒",
  channel: "声道 {channel}",
  speakerName: "说话人 {number}",
  or: "或{label}",
  playPart: "播放 {what}：{label}",
  labelPart: "{what} 的标签",
  labelSet: "{what} 的标签：{label}",
  labelRemoved: "{what} 的标签已撤销",
  done: "{name}：{label}",
  live: "{seconds} 秒：{label}",
  connecting: "正在连接",
  listening: "正在监听",
  recording: "正在录音",
  noLive: "没有实时结果：{why}。录音继续。",
  insecure: "浏览器只允许 https 页面和 localhost 使用麦克风。",
  noMicrophone: "无法使用麦克风：{why}。",
  unreachable: "服务器没有应答。它还在运行吗？",
  export: "导出更正（{count}）",
  exported: "已导出 {count} 处更正",
  notExported: "浏览器无法解码 {names}，其更正未导出。",
  download: "结果下载为",
  yourLane: "您的标签",
};

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
}
