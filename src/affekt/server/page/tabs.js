/** One tab at a time: a second one would overwrite what the first stores. */

const NAME = "affekt-tab";

/** Takes over from other tabs. @param {() => void} lost  called when a later tab takes over */
export function claim(lost) {
  const channel = new BroadcastChannel(NAME);
  channel.onmessage = () => {
    channel.close();
    lost();
  };
  channel.postMessage("opened");
}
