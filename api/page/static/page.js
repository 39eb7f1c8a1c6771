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
