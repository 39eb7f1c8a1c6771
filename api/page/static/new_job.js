// A new job: its items from files, a bucket or addresses; checked first, then sent. Many bytes go in
// pieces (uploading.js), few of them with the job itself.
"use strict";

const form = document.getElementById("new-job");
const answer = document.getElementById("answer");
const sent = document.getElementById("sent");
const IN_PIECES = 8 * 1024 * 1024;
let items = [];

const isHidden = (name) => name.split("/").some((part) => part.startsWith(".")) || name.endsWith("Thumbs.db");

function choose(found) {
  items = found.filter((each) => !isHidden(each.name));
  const bytes = items.reduce((sum, each) => sum + each.file.size, 0);
  const left = found.length - items.length;
  answer.replaceChildren();
  document.getElementById("chosen").textContent = items.length
    ? `${items.length.toLocaleString("en")} file${items.length === 1 ? "" : "s"}, ${sizeText(bytes)}${left ? `; ${left} hidden left out` : ""}`
    : "";
}
takeDrops(document.getElementById("drop"), choose);
for (const id of ["files", "folder"])
  document.getElementById(id).addEventListener("change", (event) =>
    choose([...event.target.files].map((file) => ({ file, name: file.webkitRelativePath || file.name }))));

const source = () => form.elements.from.value;
for (const radio of form.elements.from)
  radio.addEventListener("change", () => {
    for (const part of form.querySelectorAll("[data-from]")) part.hidden = part.dataset.from !== source();
  });
// What was said of another state of the form is not true of this one.
form.addEventListener("input", () => answer.replaceChildren());

const bytesOf = (found) => found.reduce((sum, each) => sum + each.file.size, 0);
const goInPieces = () => source() === "files" && (bytesOf(items) > IN_PIECES || items.length > Number(form.dataset.mostItems));

function optionsOf(dryRun) {
  const options = { model: form.elements.model.value.trim(), params: readParams(form), priority: form.elements.priority.value };
  const name = form.elements.name.value.trim();
  if (name) options.metadata = { name };
  if (form.elements.gallery.checked) options.gallery = true;
  if (form.elements.overlays.checked) options.overlays = true;
  if (dryRun) options.dry_run = true;
  return options;
}

function jsonBody(dryRun) {
  const body = optionsOf(dryRun);
  if (source() === "urls") {
    body.urls = form.elements.urls.value.split("\n").map((line) => line.trim()).filter(Boolean);
  } else {
    body.prefix = form.elements.prefix.value.trim();
    const include = form.elements.include.value.trim();
    if (include) body.include = include.split(/[\s,]+/);
    if (form.elements.connection.value) body.connection = form.elements.connection.value;
  }
  return { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

function idBody(id) {
  const body = { ...optionsOf(false), input_file_id: id };
  return { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

// To check, one small item is enough: model, parameters and form are the same for all.
function probeBody() {
  const body = { ...optionsOf(true), requests: [{ custom_id: "check", input: { data: "aGVsbG8=" } }] };
  return { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
}

function formBody(dryRun) {
  const body = new FormData();
  body.append("job", JSON.stringify(optionsOf(dryRun)));
  for (const each of dryRun ? items.slice(0, 1) : items) body.append("files", each.file, each.name);
  return { body };
}

function missing() {
  if (!form.reportValidity()) return "";
  if (source() !== "files") return null;
  if (!items.length) return "Choose at least one file first.";
  if (bytesOf(items) > Number(form.dataset.mostBytes))
    return "These are more than may be uploaded at once: submit them in parts, or put them into a bucket.";
  return null;
}

async function carry(dryRun, onProgress) {
  if (!goInPieces()) {
    const made = source() === "files" ? formBody(dryRun) : jsonBody(dryRun);
    return send(form.dataset.jobs, { ...made, onProgress });
  }
  if (dryRun) return send(form.dataset.jobs, probeBody());
  tell(answer, "why", "Sending in pieces. If the page is left, choose the same files again to go on.");
  const came = await bring(form.dataset.uploads, items, onProgress);
  showUnfinished();
  return came.fault ? { ok: false, fault: came.fault } : send(form.dataset.jobs, idBody(came.fileId));
}

async function submit(dryRun) {
  const fault = missing();
  if (fault !== null) return fault && tell(answer, "fault", fault);
  const buttons = form.querySelectorAll("button");
  for (const button of buttons) button.disabled = true;
  sent.hidden = dryRun;
  const said = await carry(dryRun, (share) => { sent.value = share; });
  for (const button of buttons) button.disabled = false;
  sent.hidden = true;
  if (!said.ok) return tell(answer, "fault", said.fault);
  if (!dryRun) return location.assign(`${form.dataset.page}/${said.answer.id}?done=submitted`);
  const { model, total } = said.answer;
  const count = source() === "files" ? items.length : total;
  const what = count === null ? "items that are counted when it is prepared" : `${count.toLocaleString("en")} item${count === 1 ? "" : "s"}`;
  tell(answer, "said", `This would run ${what} on ${model.name}@${model.version}. Nothing was stored yet.`);
}

form.addEventListener("submit", (event) => { event.preventDefault(); submit(false); });
document.getElementById("check").addEventListener("click", () => submit(true));

// What was begun before the page was left, and how much of it is there.
async function showUnfinished() {
  const lines = [];
  for (const each of unfinished.all()) {
    const offset = await offsetOf(each.place);
    if (offset === null) { unfinished.forget(each.mark); continue; }
    if (offset === undefined) continue;
    const line = document.createElement("p");
    line.className = "why";
    const what = each.count === 1 ? each.name : `${each.count.toLocaleString("en")} files (${each.name}, …)`;
    line.textContent = `The upload of ${what} is not finished: ${sizeText(offset)} of ${sizeText(each.bytes)} are here. Choose the same again and submit, and it goes on. `;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Forget it";
    button.addEventListener("click", async () => {
      await tus("DELETE", each.place);
      unfinished.forget(each.mark);
      showUnfinished();
    });
    line.append(button);
    lines.push(line);
  }
  document.getElementById("unfinished").replaceChildren(...lines);
}
showUnfinished();
