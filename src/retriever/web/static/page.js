// Shows the answer while a question is typed. The page works without this file, and no HTML is written here: it all
// comes from the server's templates.

const PAUSE_MS = 150; // people who are still typing leave less than this between two keys
const PATIENCE_MS = 15_000;

const form = document.querySelector("form[role=search]");
const box = form.elements.q;
const results = document.getElementById("results");
const status = document.getElementById("status");

let timer;
let request = null; // the one under way
let asking; // its question
let settled = true; // whether the next address is a new step for the back button, or a correction of the last one

const current = () => (request ? asking : results.querySelector("[data-query]").dataset.query);
const asked = () => box.value.trim();
const addressed = () => (new URLSearchParams(location.search).get("q") ?? "").trim();
const stops = () => [...results.querySelectorAll("[data-stop]")];
const failed = () => results.querySelector("[data-state=error]") !== null;
const busy = (yes) => results.setAttribute("aria-busy", yes);

function show(outcome) {
  const held = results.contains(document.activeElement);
  results.replaceChildren(document.adoptNode(outcome));
  busy(false);
  status.textContent = outcome.dataset.announce;
  if (held) (stops()[0] ?? box).focus();
}

const showTemplate = (id) => show(document.getElementById(id).content.firstElementChild.cloneNode(true));

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

function address(path, question) {
  const fields = new URLSearchParams(new FormData(form));
  fields.set("q", question);
  return question ? `${path}?${fields}` : path;
}

function ask(question) {
  drop();
  asking = question;
  if (!question) return showTemplate("start");
  busy(true);
  // Not fetch: a document parsed here is inert and passes through no sink, so Trusted Types can be forbidden outright.
  request = new XMLHttpRequest();
  request.open("GET", address("/results", question));
  request.responseType = "document";
  request.timeout = PATIENCE_MS;
  request.onload = received;
  request.onerror = request.ontimeout = lost;
  request.send();
}

function title(question) {
  const name = form.dataset.title;
  document.title = question ? `${question} · ${name}` : name;
}

function remember(question) {
  if (question === addressed()) return;
  history[settled ? "pushState" : "replaceState"](null, "", address("/", question));
  settled = false;
  title(question);
}

function typed() {
  const question = asked();
  remember(question);
  if (question !== current() || failed()) ask(question);
  else busy(request !== null);
}

function clear() {
  box.value = "";
  typed();
}

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

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const inBox = event.target === box;
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing) {
    box.focus();
    box.select();
  } else if (Object.hasOwn(plainKeys, event.key) && (inBox || results.contains(event.target))) {
    plainKeys[event.key](inBox);
  } else return;
  event.preventDefault();
});

box.addEventListener("input", () => {
  drop();
  if (!asked()) return typed();
  busy(asked() !== current());
  timer = setTimeout(typed, PAUSE_MS);
});

box.addEventListener("blur", () => (settled = true));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  typed();
  settled = true;
  if (matchMedia("(pointer: coarse)").matches) box.blur(); // puts the phone's keyboard away
});

results.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-ask]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  box.value = link.textContent;
  form.requestSubmit();
});

addEventListener("popstate", () => {
  box.value = addressed();
  settled = true;
  title(asked());
  typed();
});

addEventListener("online", () => failed() && typed());

document.querySelector(".keys").hidden = false;
if (asked() !== current()) typed(); // what was typed before this script ran
