// What script adds: it shortens ways and adds no ability. Each behaviour is an attribute. Markup
// comes from our own answers only, by the one policy.
"use strict";
const policy = window.trustedTypes?.createPolicy("patron", { createHTML: (text) => text });
const parsed = (text) =>
  new DOMParser().parseFromString(policy ? policy.createHTML(text) : text, "text/html");
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const said = (text) => {
  const region = document.getElementById("said");
  if (region) region.textContent = text;
};

// data-focus: what a refused form begins with.
document.querySelector("[data-focus]")?.focus();

// data-token-from-link: what a mailed link holds stands behind its "#", and stays in no history.
for (const part of all("[data-token-from-link]")) {
  const token = location.hash.slice(1);
  if (!token) continue;
  history.replaceState(null, "", location.pathname);
  part.querySelector("input").value = token;
  part.hidden = true;
}

// data-passkey: options from the server, the browser's answer back to it.
for (const button of all("[data-passkey]")) {
  if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) continue;
  button.hidden = false;
  const { passkey, proof, token, next, failed } = button.dataset;
  const post = async (path, body) => {
    const headers = { "Content-Type": "application/json" };
    if (token) headers["Patron-CSRF"] = token;
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };
  button.addEventListener("click", async () => {
    button.setAttribute("aria-disabled", "true");
    try {
      const options = await post(`${passkey}/options`, {});
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey ?? options);
      const credential = (await navigator.credentials.get({ publicKey })).toJSON();
      await post(proof ?? passkey, proof ? { passkey: credential } : { credential });
      location.assign(next);
    } catch {
      said(failed);
    }
    button.removeAttribute("aria-disabled");
  });
}

// data-copy: to the clipboard, without a request.
const wire = (root) => {
  for (const button of all("[data-copy]", root)) {
    button.hidden = !navigator.clipboard;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      toast(document.body.dataset.copied);
    });
  }
};
const toast = (text) => {
  const region = document.querySelector(".toasts");
  if (!region) return;
  const line = document.createElement("p");
  line.className = "toast";
  line.textContent = text;
  region.replaceChildren(line);
};
wire(document);

// data-swap: sends a form or follows a link, and takes that one part from the answer, whatever its
// status. The address follows; what is older than the last is not waited for.
let last = null;
const swap = async (id, address, init) => {
  last?.abort();
  const own = (last = new AbortController());
  const part = document.getElementById(id);
  const slow = setTimeout(() => part.setAttribute("aria-busy", "true"), 300);
  try {
    const answer = await fetch(address, { ...init, signal: own.signal });
    const page = parsed(await answer.text());
    const fresh = page.getElementById(id);
    // A refusal is a page of its own: on to it, as without script.
    if (!fresh || !answer.ok) return false;
    part.replaceChildren(...document.adoptNode(fresh).childNodes);
    wire(part);
    history.replaceState(null, "", answer.url);
    // What forms carry along follows the list.
    for (const field of all("input[type=hidden]", page)) {
      for (const mine of all(`input[type=hidden][name="${field.name}"]`)) {
        if (["ask", "status", "sort", "columns"].includes(field.name)) mine.value = field.value;
      }
    }
    return true;
  } catch (error) {
    return error.name === "AbortError";
  } finally {
    clearTimeout(slow);
    if (last === own) part.removeAttribute("aria-busy");
  }
};
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.swap) return;
  event.preventDefault();
  const init = { method: "POST", body: new URLSearchParams(new FormData(form)) };
  if (!(await swap(form.dataset.swap, form.action, init))) form.submit();
});
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (!(await swap(link.dataset.swap, link.href))) location.assign(link.href);
});

// data-typing: a form that is sent while one types.
for (const form of all("form[data-typing]")) {
  let wait = 0;
  form.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(() => form.requestSubmit(), 150);
  });
}

// data-rows: the arrow keys move among the links of rows.
document.addEventListener("keydown", (event) => {
  const table = event.target.closest?.("[data-rows]");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!table || !step) return;
  const links = all("a.key", table);
  const at = links.indexOf(document.activeElement);
  links[at + step]?.focus();
  event.preventDefault();
});

// data-key: one letter presses a link or goes to a field; never inside of fields.
document.addEventListener("keydown", (event) => {
  const inField = event.target.matches?.("input, textarea, select");
  if (event.ctrlKey || event.metaKey || event.altKey || (inField && event.key !== "Escape")) return;
  // Who switched them off types letters for another program.
  if (event.key.length === 1 && document.body.dataset.letters === "off") return;
  const target = all("[data-key]").find((one) => one.dataset.key === event.key);
  if (!target) return;
  event.preventDefault();
  if (target.matches("a, button")) target.click();
  else target.focus();
});

// data-palette: where one can go, and what one may look for, by Ctrl K. The links are the sidebar's.
const palette = document.getElementById("palette");
if (palette) {
  const list = palette.querySelector("[data-palette]");
  const field = palette.querySelector("input[type=search]");
  const opener = document.querySelector("[data-palette-open]");
  opener.hidden = false;
  const shown = () => {
    const word = field.value.trim().toLowerCase();
    const links = all(".side ul a, .tabs a").filter((link) => link.textContent.toLowerCase().includes(word));
    list.replaceChildren(
      ...links.map((link) => {
        const item = document.createElement("li");
        const copy = link.cloneNode(true);
        copy.removeAttribute("aria-current");
        item.append(copy);
        return item;
      }),
    );
  };
  field.addEventListener("input", shown);
  palette.addEventListener("beforetoggle", () => {
    field.value = "";
    shown();
  });
  palette.addEventListener("toggle", (event) => event.newState === "open" && field.focus());
  palette.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const stops = [field, ...all("a", list)];
    stops[stops.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    // At once: who types on loses no letter.
    if (palette.togglePopover()) field.focus();
  });
}

// data-dirty: what was typed is not lost by a slip.
for (const form of all("form[data-dirty]")) {
  let dirty = false;
  form.addEventListener("input", () => (dirty = true));
  form.addEventListener("submit", () => (dirty = false));
  addEventListener("beforeunload", (event) => dirty && event.preventDefault());
}

// A form that is a field in place begins with the cursor in it.
document.querySelector("form.inline .input, form.inline textarea, form.inline select")?.focus();
