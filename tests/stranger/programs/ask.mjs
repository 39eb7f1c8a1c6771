// Makes the calls of tests/stranger/calls.py with Node's own fetch.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { text } from "node:stream/consumers";

const { url, calls } = JSON.parse(await text(process.stdin));
for (const call of calls) {
  let body;
  if (call.body) body = await readFile(call.body);
  if (call.job) {
    body = new FormData();
    body.append("job", new Blob([call.job], { type: "application/json" }));
    for (const path of call.files) body.append("files", new Blob([await readFile(path)]), basename(path));
  }
  const answer = await fetch(url + call.path, { method: call.method, headers: call.headers, body });
  const said = { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
  console.log(JSON.stringify(said));
}
