// What pages send to the API: the session's token with it, and the API's own words when it refuses.
"use strict";

const token = document.querySelector("meta[name=form-token]").content;

function send(address, more) {
  return ask("POST", address, more);
}

// Calls the API. `onProgress` is given the share and the number of bytes of the body that were sent.
function ask(method, address, { body, headers = {}, onProgress = () => {} }) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open(method, address);
    request.setRequestHeader("X-Form-Token", token);
    request.setRequestHeader("Accept", "application/json");
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total, event.loaded);
    });
    request.addEventListener("loadend", () => {
      let answer = null;
      try { answer = JSON.parse(request.responseText); } catch { /* not from the API */ }
      const fault = answer?.detail || "The server did not answer. Is it there, and the connection?";
      resolve({ ok: request.status >= 200 && request.status < 300, status: request.status, answer, fault, header: (name) => request.getResponseHeader(name) });
    });
    request.send(body);
  });
}

// The parameters that were filled in; what was left empty is the model's own default.
function readParams(form) {
  const params = {};
  for (const field of form.querySelectorAll("[data-param]")) {
    const text = field.value.trim();
    if (!text) continue;
    const kind = field.dataset.kind;
    if (kind === "number" || kind === "integer") params[field.dataset.param] = Number(text);
    else if (kind === "boolean") params[field.dataset.param] = text === "true";
    else if (kind === "array") params[field.dataset.param] = text.split("\n").map((line) => line.trim()).filter(Boolean);
    else params[field.dataset.param] = text;
  }
  return params;
}

// Text goes in as text only, so that nothing that comes back can become markup.
function tell(place, kind, text) {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = text;
  if (kind === "fault") line.setAttribute("role", "alert");
  place.replaceChildren(line);
}

function takeDrops(place, onFiles) {
  for (const name of ["dragenter", "dragover"])
    place.addEventListener(name, (event) => { event.preventDefault(); place.classList.add("over"); });
  for (const name of ["dragleave", "drop"])
    place.addEventListener(name, () => place.classList.remove("over"));
  place.addEventListener("drop", async (event) => {
    event.preventDefault();
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!entries.length) return onFiles([...event.dataTransfer.files].map((file) => ({ file, name: file.name })));
    const found = [];
    for (const entry of entries) await walk(entry, "", found);
    onFiles(found);
  });
}

async function walk(entry, folder, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, name: folder + file.name });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    // A browser gives a hundred at a time.
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await walk(each, `${folder}${entry.name}/`, found);
  }
}

function sizeText(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (bytes >= 1000 && unit < units.length - 1) { bytes /= 1000; unit += 1; }
  return `${bytes.toFixed(unit ? 1 : 0)} ${units[unit]}`;
}
