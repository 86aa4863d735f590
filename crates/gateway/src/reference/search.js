// The search of the reference while one types; without this script the form asks the same page. Opens the
// operation or type that an address points to.
"use strict";

const PAUSE_MS = 150;
const field = document.querySelector("form.search input");
const shown = document.querySelector("#hits");
let waiting;
let asked = 0;

async function search() {
  const question = field.value.trim();
  const mine = (asked += 1);
  if (question === "") {
    shown.replaceChildren();
    return;
  }
  const answer = await fetch(`/docs/search?q=${encodeURIComponent(question)}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  // Who types on is answered once, for what stands there last.
  if (mine === asked) {
    shown.replaceChildren(...page.querySelector("#found").childNodes);
  }
}

function open() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (place instanceof HTMLDetailsElement) {
    place.open = true;
    place.scrollIntoView();
  }
}

field.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, PAUSE_MS);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") shown.replaceChildren();
});
shown.addEventListener("click", () => shown.replaceChildren());
addEventListener("hashchange", open);
open();
