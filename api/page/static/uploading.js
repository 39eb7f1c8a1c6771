// Uploads that outlive a broken line and a reload (tus 1.0.0): what was sent is not sent again.
// A browser forgets files when a page is left, so they have to be chosen once more to go on.
"use strict";

const NOTED = "pixelmill.upload.", PIECE = 8 * 1024 * 1024, PAUSES_MS = [500, 1000, 2000, 4000, 8000];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What stands for the files: the same ones, chosen again, are known by it.
function markOf(items) {
  let high = 0xdeadbeef, low = 0x41c6ce57;
  for (const { file, name } of items)
    for (const unit of `${name}\0${file.size}\0${file.lastModified}\n`) {
      high = Math.imul(high ^ unit.codePointAt(0), 2654435761);
      low = Math.imul(low ^ unit.codePointAt(0), 1597334677);
    }
  return (high >>> 0).toString(16).padStart(8, "0") + (low >>> 0).toString(16).padStart(8, "0");
}

const unfinished = {
  all() {
    const marks = Object.keys(localStorage).filter((key) => key.startsWith(NOTED));
    return marks.map((key) => ({ mark: key.slice(NOTED.length), ...JSON.parse(localStorage.getItem(key)) }));
  },
  note: (mark, what) => localStorage.setItem(NOTED + mark, JSON.stringify(what)),
  forget: (mark) => localStorage.removeItem(NOTED + mark),
};

function tus(method, address, { headers = {}, ...more } = {}) {
  return ask(method, address, { headers: { "Tus-Resumable": "1.0.0", ...headers }, ...more });
}

// How many bytes are there; null once the upload is not there any more.
async function offsetOf(address) {
  const said = await tus("HEAD", address);
  return said.ok ? Number(said.header("Upload-Offset")) : said.status === 404 || said.status === 410 ? null : undefined;
}

async function begin(address, blob, name) {
  const coded = btoa(String.fromCharCode(...new TextEncoder().encode(name)));
  const said = await tus("POST", address, { headers: { "Upload-Length": blob.size, "Upload-Metadata": `filename ${coded}` } });
  return said.ok ? { place: said.header("Location") } : { fault: said.fault };
}

// Sends what is still to be sent; gives the file's id, or the fault in words.
async function sendRest(place, blob, onProgress) {
  for (let tries = 0, offset, last; ; ) {
    offset = await offsetOf(place);
    if (offset === null) return { isGone: true, fault: "What was sent before is not there any more. Submit once more: it begins anew." };
    if (offset !== undefined && offset !== last) { tries = 0; last = offset; }
    while (offset !== undefined && offset < blob.size) {
      const from = offset;
      const said = await tus("PATCH", place, {
        body: blob.slice(from, from + PIECE),
        headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": from },
        onProgress: (share, sent) => onProgress((from + sent) / blob.size),
      });
      if (!said.ok && said.status >= 400 && said.status < 500 && said.status !== 409 && said.status !== 429) return { fault: said.fault };
      offset = said.ok ? Number(said.header("Upload-Offset")) : undefined;
    }
    if (offset !== undefined) return whole(place);
    if (tries === PAUSES_MS.length)
      return { fault: "The connection broke. What was sent is kept: press Submit to go on, also after a reload." };
    await pause(PAUSES_MS[tries++]);
  }
}

// A large file is put together after its last byte has come.
async function whole(place) {
  for (let tries = 0; tries <= PAUSES_MS.length; tries++) {
    const said = await tus("GET", place, { headers: { Prefer: "wait=50" } });
    if (said.answer?.file_id) return { fileId: said.answer.file_id };
    if (!said.ok) await pause(PAUSES_MS[tries] ?? 0);
  }
  return { fault: "All bytes are there, but the file is not yet. Press Submit again in a minute." };
}

// Brings files as one: a single file as it is, several in a tar that is made as it is sent.
async function bring(address, items, onProgress) {
  const mark = markOf(items), known = unfinished.all().find((each) => each.mark === mark);
  const [name, blob] = items.length === 1 ? [items[0].file.name, items[0].file] : ["pictures.tar", tarOf(items)];
  let place = known?.place;
  if (place && (await offsetOf(place)) === null) place = undefined;
  if (!place) {
    const begun = await begin(address, blob, name);
    if (begun.fault) return begun;
    place = begun.place;
    unfinished.note(mark, { place, name: items[0].name.split("/")[0], count: items.length, bytes: blob.size });
  }
  const came = await sendRest(place, blob, onProgress);
  if (came.fileId || came.isGone) unfinished.forget(mark);
  return came;
}

// A tar of POSIX: each file after a head of 512 bytes, names that are long or not ASCII in a pax head.
function tarOf(items) {
  const parts = [];
  for (const { file, name } of items) {
    const text = new TextEncoder().encode(name), at = Math.floor(file.lastModified / 1000);
    if (text.length > 100 || text.length !== name.length || file.size >= 8 ** 11) {
      const record = new Blob([paxOf("path", name), ...(file.size >= 8 ** 11 ? [paxOf("size", String(file.size))] : [])]);
      parts.push(headOf("pax", record.size, "x", at), record, padding(record.size));
    }
    parts.push(headOf(name, file.size, "0", at), file, padding(file.size));
  }
  return new Blob([...parts, new Uint8Array(1024)]);
}

const padding = (size) => new Uint8Array((512 - (size % 512)) % 512);

function paxOf(key, value) {
  const rest = new TextEncoder().encode(` ${key}=${value}\n`).length;
  let length = rest;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function headOf(name, size, kind, at) {
  const head = new Uint8Array(512), write = (text, place, most) => head.set(new TextEncoder().encode(text).slice(0, most), place);
  const octal = (value, digits) => (value % 8 ** digits).toString(8).padStart(digits, "0");
  write(name, 0, 100);
  write("0000644\0" + "0000000\0" + "0000000\0", 100, 24);
  write(octal(size, 11), 124, 11);
  write(octal(at, 11), 136, 11);
  write("        " + kind, 148, 9);
  write("ustar\0" + "00", 257, 8);
  write(octal(head.reduce((sum, byte) => sum + byte, 0), 6) + "\0 ", 148, 8);
  return head;
}
