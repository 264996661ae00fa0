// Shows the answer while a question is typed. The page works without this file, and no HTML is written here: it all
// comes from the server's templates.

const PAUSE_MS = 150; // people who are still typing leave less than this between two keys
const COMPOSING_MS = 700; // an input method's text is asked only if it seems to be meant: Android composes every word
const SAY_MS = 600; // what was found is said once the typing has stopped, not after every pause
const PATIENCE_MS = 15_000;
const TEXT_FIELDS = "input:not([type=checkbox]), textarea, select, [contenteditable]";

const form = document.querySelector("form[role=search]");
const box = form.elements.q;
const results = document.getElementById("results");
const status = document.getElementById("status");

let timer;
let saying;
let request = null; // the one under way
let asking; // its address
let exact = new URLSearchParams(location.search).has("exact"); // whether to search for what was typed, misspelt or not
let settled = true; // whether the next address is a new step for the back button, or a correction of the last one

const asked = () => box.value.trim();
const stops = () => [...results.querySelectorAll("[data-stop]")];
const failed = () => results.querySelector("[data-state=error]") !== null;
const busy = (yes) => results.setAttribute("aria-busy", yes);
const filters = () => [...form.querySelectorAll("input[type=checkbox]")];

// --- addresses -------------------------------------------------------------------------------------------------------

function address(path, question = asked()) {
  const fields = new URLSearchParams(new FormData(form));
  fields.delete("q");
  const named = [...(question ? [["q", question]] : []), ...fields, ...(exact && question ? [["exact", "1"]] : [])];
  return named.length ? `${path}?${new URLSearchParams(named)}` : path;
}

let shown = address("/results", results.querySelector("[data-query]").dataset.query);

const current = () => (request ? asking : shown);

function title(question) {
  const name = form.dataset.title;
  document.title = question ? `${question} · ${name}` : name;
}

function remember() {
  const next = address("/");
  if (next.slice(2) === String(new URLSearchParams(location.search))) return;
  history[settled ? "pushState" : "replaceState"](null, "", next);
  settled = false;
  title(asked());
}

// --- what is shown ---------------------------------------------------------------------------------------------------

function say() {
  clearTimeout(saying);
  const { announce } = results.querySelector("[data-announce]").dataset;
  saying = setTimeout(() => (status.textContent = announce), SAY_MS);
}

function show(outcome) {
  const held = results.contains(document.activeElement);
  results.replaceChildren(document.adoptNode(outcome));
  shown = address("/results", outcome.dataset.query);
  busy(false);
  say();
  if (held) (stops()[0] ?? box).focus();
  results.dispatchEvent(new Event("shown"));
}

const showTemplate = (id) => show(document.getElementById(id).content.firstElementChild.cloneNode(true));

// --- asking ----------------------------------------------------------------------------------------------------------

function drop() {
  clearTimeout(timer);
  request?.abort();
  request = null;
}

function received() {
  const outcome = request.response?.querySelector("[data-state]");
  request = null;
  if (outcome) show(outcome);
  else showTemplate("failed");
}

function lost() {
  request = null;
  showTemplate("unreachable");
}

function ask() {
  drop();
  asking = address("/results");
  if (!asked()) return showTemplate("start");
  busy(true);
  // Not fetch: a document parsed here is inert and passes through no sink, so Trusted Types can be forbidden outright.
  request = new XMLHttpRequest();
  request.open("GET", asking);
  request.responseType = "document";
  request.timeout = PATIENCE_MS;
  request.onload = received;
  request.onerror = request.ontimeout = lost;
  request.send();
}

function typed() {
  clearTimeout(timer);
  remember();
  if (address("/results") !== current() || failed()) return ask();
  busy(request !== null);
  say();
}

function change(question, filtered = filters().filter((one) => one.checked)) {
  box.value = question;
  exact = false;
  for (const one of filters()) one.checked = filtered.includes(one);
}

function clear() {
  change("");
  typed();
  box.focus();
}

// --- keys ------------------------------------------------------------------------------------------------------------

function move(step) {
  const all = stops();
  const hit = document.activeElement.closest(".hit");
  const next = all.findIndex((stop) => stop.closest(".hit") === hit) + step;
  if (next < 0) box.focus();
  else all[Math.min(next, all.length - 1)]?.focus();
}

const plainKeys = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  Escape: (inBox) => (inBox ? clear() : box.focus()),
};

function focusBox() {
  box.focus();
  box.select();
}

function pressed({ key, target, ctrlKey, metaKey, altKey, shiftKey }) {
  if (ctrlKey || metaKey) return key.toLowerCase() === "k" && !altKey && !shiftKey ? focusBox : null;
  if (key === "/" && !target.closest(TEXT_FIELDS)) return focusBox;
  const inBox = target === box;
  const ours = !altKey && Object.hasOwn(plainKeys, key) && (inBox || results.contains(target));
  return ours ? () => plainKeys[key](inBox) : null;
}

document.addEventListener("keydown", (event) => {
  // What the list of suggestions or an input method has taken is none of ours.
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
  const act = pressed(event);
  if (!act) return;
  event.preventDefault();
  act();
});

// --- what the asker does ---------------------------------------------------------------------------------------------

box.addEventListener("input", ({ isComposing }) => {
  exact = false;
  clearTimeout(saying);
  drop();
  if (!asked()) return typed();
  busy(address("/results") !== current());
  timer = setTimeout(typed, isComposing ? COMPOSING_MS : PAUSE_MS);
});

box.addEventListener("blur", () => (settled = true));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  typed();
  settled = true;
  if (matchMedia("(pointer: coarse)").matches) box.blur(); // puts the phone's keyboard away
});

form.addEventListener("change", ({ target }) => {
  if (target === box) return;
  settled = true;
  typed();
});

// The panel of filters lies over the page: it closes as a list does.
const panel = form.querySelector(".filters details");
const fold = () => panel?.removeAttribute("open");
document.addEventListener("pointerdown", ({ target }) => panel?.contains(target) || fold());
panel?.addEventListener("focusout", ({ relatedTarget }) => relatedTarget && !panel.contains(relatedTarget) && fold());
panel?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  fold();
  panel.querySelector("summary").focus();
});

form.querySelector(".unfilter")?.addEventListener("click", (event) => {
  event.preventDefault();
  change(box.value);
  settled = true;
  typed();
  box.focus();
});

// Links that only ask something else; opened elsewhere, they are links.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-ask]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  read(new URL(link.href).searchParams);
  settled = true;
  typed();
  settled = true;
});

form.querySelector(".clear").addEventListener("click", clear);

function read(fields) {
  const chosen = filters().filter((one) => fields.getAll(one.name).includes(one.value));
  change((fields.get("q") ?? "").trim(), chosen);
  exact = fields.has("exact");
}

addEventListener("popstate", () => {
  read(new URLSearchParams(location.search));
  settled = true;
  title(asked());
  typed();
});

addEventListener("online", () => failed() && typed());

// What was typed or chosen before this script ran.
if (address("/results") !== shown || filters().some((one) => one.checked !== one.defaultChecked)) typed();
