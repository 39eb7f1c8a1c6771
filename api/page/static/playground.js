// The playground: one picture to one model, and the same request as code.
"use strict";

const form = document.getElementById("playground");
const answer = document.getElementById("answer");
const code = document.getElementById("code");
let item = null, language = "curl";

function choose(found) {
  item = found[0] || null;
  document.getElementById("chosen").textContent = item ? `${item.name}, ${sizeText(item.file.size)}` : "";
  document.getElementById("send").disabled = !item;
  showCode();
}
takeDrops(document.getElementById("drop"), choose);
document.getElementById("file").addEventListener("change", (event) =>
  choose([...event.target.files].map((file) => ({ file, name: file.name }))));

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = document.getElementById("send");
  button.disabled = true;
  tell(answer, "why", "Sent. Waiting for the answer…");
  const body = new FormData();
  body.append("model", form.elements.model.value.trim());
  body.append("params", JSON.stringify(readParams(form)));
  body.append("file", item.file, item.name);
  const said = await send(form.dataset.predict, { body, headers: { Prefer: "wait=10" } });
  button.disabled = false;
  if (!said.ok) return tell(answer, "fault", said.fault);
  const job = said.answer.job_id || said.answer.id;
  htmx.ajax("GET", `${form.dataset.answer}/${job}`, { target: answer, swap: "innerHTML" });
});

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const samples = {
  curl: (url, model, params, name) =>
    `curl ${url} \\\n  -H "Authorization: Bearer $PIXELMILL_API_KEY" \\\n  -F ${quoted(`file=@${name}`)} \\\n  -F ${quoted(`model=${model}`)}` +
    (params === "{}" ? "" : ` \\\n  -F ${quoted(`params=${params}`)}`),
  Python: (url, model, params, name) =>
    `import os\nimport httpx\n\nwith open(${JSON.stringify(name)}, "rb") as picture:\n    answer = httpx.post(\n        ${JSON.stringify(url)},\n        headers={"Authorization": f"Bearer {os.environ['PIXELMILL_API_KEY']}"},\n        files={"file": picture},\n        data={"model": ${JSON.stringify(model)}${params === "{}" ? "" : `, "params": ${JSON.stringify(params)}`}},\n        timeout=60,\n    )\nanswer.raise_for_status()\nprint(answer.json()["predictions"])`,
  Node: (url, model, params, name) =>
    `import { openAsBlob } from "node:fs";\n\nconst body = new FormData();\nbody.append("file", await openAsBlob(${JSON.stringify(name)}), ${JSON.stringify(name)});\nbody.append("model", ${JSON.stringify(model)});\n${params === "{}" ? "" : `body.append("params", ${JSON.stringify(params)});\n`}const answer = await fetch(${JSON.stringify(url)}, {\n  method: "POST",\n  headers: { Authorization: \`Bearer \${process.env.PIXELMILL_API_KEY}\` },\n  body,\n});\nconsole.log((await answer.json()).predictions);`,
};

function showCode() {
  const url = new URL(form.dataset.predict, location.href).href;
  const model = form.elements.model.value.trim() || "digits";
  code.textContent = samples[language](url, model, JSON.stringify(readParams(form)), item?.name || "photo.jpg");
}

const tabs = [...document.querySelectorAll("[data-code]")];
function turnTo(tab) {
  language = tab.dataset.code;
  for (const each of tabs) {
    each.setAttribute("aria-selected", String(each === tab));
    each.tabIndex = each === tab ? 0 : -1;
  }
  showCode();
}
for (const tab of tabs) {
  tab.addEventListener("click", () => turnTo(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    turnTo(next);
    next.focus();
  });
}
form.addEventListener("input", showCode);
document.body.addEventListener("htmx:afterSwap", showCode);
document.getElementById("copy").addEventListener("click", () => navigator.clipboard?.writeText(code.textContent));
turnTo(tabs[0]);
