/** Writes ZIP archives without compression, and reads files of any. */

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/** Date and time in the format of MS-DOS, as one number. */
function stamp(date) {
  const day = ((date.getFullYear() - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate();
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1);
  return ((day << 16) | time) >>> 0;
}

/** A little-endian record of [bytes, value] pairs. */
function record(fields) {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size, 0)));
  let offset = 0;
  for (const [size, value] of fields) {
    if (size === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
    offset += size;
  }
  return new Uint8Array(view.buffer);
}

/**
 * @param {[string, Uint8Array][]} files  names with / between folders
 * @returns {Blob}
 */
export function zip(files, date = new Date()) {
  const body = [];
  const directory = [];
  let offset = 0;
  for (const [name, bytes] of files) {
    const path = new TextEncoder().encode(name);
    const common = [ // version 2.0, names in UTF-8, stored
      [2, 20], [2, 0x800], [2, 0], [4, stamp(date)], [4, crc32(bytes)],
      [4, bytes.length], [4, bytes.length], [2, path.length], [2, 0],
    ];
    const head = record([[4, 0x04034b50], ...common]);
    body.push(head, path, bytes);
    directory.push(
      record([[4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]]),
      path,
    );
    offset += head.length + path.length + bytes.length;
  }
  const size = directory.reduce((sum, bytes) => sum + bytes.length, 0);
  const count = files.length;
  const end = [
    [4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0],
  ];
  return new Blob([...body, ...directory, record(end)], { type: "application/zip" });
}

/** Reads one file of a ZIP archive. @param {Blob} archive @param {string} wanted  its name
 * @returns {Promise<ArrayBuffer>} @throws {Error} there is no such file, or it is damaged */
export async function unzip(archive, wanted) {
  const view = new DataView(await archive.arrayBuffer());
  let end = view.byteLength - 22; // of the end record, before which a comment may stand
  while (view.getUint32(end, true) !== 0x06054b50) end -= 1;
  let place = view.getUint32(end + 16, true);
  for (let i = view.getUint16(end + 10, true); i > 0; i -= 1) {
    const [name, extra, comment] = [28, 30, 32].map((at) => view.getUint16(place + at, true));
    const path = new TextDecoder().decode(new Uint8Array(view.buffer, place + 46, name));
    if (path === wanted || path.endsWith(`/${wanted}`)) return content(view, place);
    place += 46 + name + extra + comment;
  }
  throw new Error(`no ${wanted}`);
}

/** The content of the file that an entry of the directory names: stored or deflated. */
async function content(view, entry) {
  const method = view.getUint16(entry + 10, true);
  const size = view.getUint32(entry + 20, true);
  const head = view.getUint32(entry + 42, true);
  const start = head + 30 + view.getUint16(head + 26, true) + view.getUint16(head + 28, true);
  const bytes = new Uint8Array(view.buffer, start, size);
  if (method === 0) return bytes.slice().buffer;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}
