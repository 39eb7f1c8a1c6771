// What forms on every page do beyond sending themselves. Nothing here is needed to use a page.
"use strict";

document.addEventListener("submit", (event) => {
  const sure = event.submitter?.dataset.sure;
  if (sure && !confirm(sure)) event.preventDefault();
});

// A list whose rows can be chosen: all at once, and how many are.
for (const form of document.querySelectorAll("form[data-bulk]")) {
  const all = form.querySelector("[data-all]");
  const boxes = () => [...form.querySelectorAll("input[name=job]")];
  const count = form.querySelector("[data-count]");
  const tell = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
    count.textContent = chosen ? `${chosen} chosen` : "";
    for (const button of form.querySelectorAll("button[name=do]")) button.disabled = !chosen;
  };
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    tell();
  });
  form.addEventListener("change", tell);
  tell();
}

// A menu closes when the eye has left it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// Whoever copies an address for others needs all of it, and the server may not know its own name.
document.addEventListener("htmx:afterSwap", () => {
  for (const field of document.querySelectorAll("input[data-address]"))
    field.value = new URL(field.value, location.href).href;
});

// Small pictures are made when somebody looks: asked for one after the other until they are there.
{
  const NEXT_MS = 1000, MOST = 120;
  const waiting = [];
  let isAsking = false;

  function say(picture, text) {
    const told = picture.parentElement.querySelector("[data-said]") ?? document.createElement("span");
    told.dataset.said = "";
    told.className = "soft said";
    told.textContent = text;
    picture.hidden = Boolean(text);
    if (text) picture.before(told);
    else told.remove();
  }

  async function ask(picture) {
    const answer = await fetch(picture.src).catch(() => null);
    picture.dataset.picture = Number(picture.dataset.picture) + 1;
    const isEnough = Number(picture.dataset.picture) > MOST;
    if (answer?.ok && !picture.dataset.shown) {
      picture.dataset.shown = "once";
      say(picture, "");
      picture.src = picture.src;
      return false;
    }
    const isLater = !isEnough && (!answer || answer.headers.has("Retry-After"));
    say(picture, isLater ? "The picture is being made …" : "There is no picture to show.");
    if (isLater) waiting.push(picture);
    return isLater;
  }

  async function askAll() {
    if (isAsking) return;
    isAsking = true;
    while (waiting.length) {
      const picture = waiting.shift();
      if (picture.isConnected && await ask(picture))
        await new Promise((go) => { setTimeout(go, NEXT_MS / Math.min(waiting.length, 4)); });
    }
    isAsking = false;
  }

  function miss(picture) {
    if (!waiting.includes(picture)) waiting.push(picture);
    askAll();
  }

  document.addEventListener("error", (event) => {
    if (event.target.matches?.("img[data-picture]")) miss(event.target);
  }, true);
  for (const picture of document.querySelectorAll("img[data-picture]"))
    if (picture.complete && picture.src && !picture.naturalWidth && picture.loading !== "lazy") miss(picture);
}
