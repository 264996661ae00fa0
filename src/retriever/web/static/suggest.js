// Suggestions while a question is typed: an editable combobox whose list lies over the page. Focus never leaves the
// box, and Enter asks what was typed unless an option was chosen with the arrows. To ask, the form is submitted; the
// page says with "shown", an event of the results, when the answer stands there.

const MOST = 6;
const PAUSE_MS = 500; // after this the typing has stopped, and the answer is what is wanted
const STALE_MS = 500; // a request this old is given up where something else has been typed since
const ROOM = 132; // least height, in pixels, that the list is shown in: three rows

const form = document.querySelector("form[role=search]");
const box = form.elements.q;
const list = document.getElementById("suggestions");
const status = document.getElementById("status");
const results = document.getElementById("results");

let rows = []; // the suggestion in each slot
let active = -1; // the slot that the arrows chose
let pointed = -1; // the slot that the pointer was moved onto; one that merely lies under it does not count
let pointer = ""; // where it was last
let flight = null; // the request under way
let latest = ""; // the text that the rows are for
let done = true; // whether what stands in the box was asked, or its suggestions sent away
let over = false; // whether the typing has stopped and the answer stands there: what comes now does not open the list
let timer;

const typed = () => box.value.trim();
const open = () => !list.hidden;
const options = () => [...list.children];
const waiting = () => results.getAttribute("aria-busy") === "true";

// --- what is shown ---------------------------------------------------------------------------------------------------

function option(slot) {
  const item = document.createElement("li");
  item.id = `suggestion-${slot}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  return item;
}

// Each slot is an element that stays, so that nothing moves: only what is written in it changes.
function write(slot, { lang, parts }) {
  const item = list.children[slot] ?? list.appendChild(option(slot));
  const text = document.createElement("span");
  text.dir = "auto";
  text.lang = lang;
  text.append(
    ...parts.map(({ text: words, match }) => {
      const part = document.createElement(match ? "b" : "span");
      part.textContent = words;
      return part;
    }),
  );
  item.replaceChildren(text);
}

// A row that is about to be chosen stays where it is; one that the pointer happens to lie on, while it is still wanted.
function held(fresh) {
  const slots = [active, pointed];
  const under = options().findIndex((item) => item.matches(":hover"));
  if (under >= 0 && fresh.some((row) => row.entry_id === rows[under]?.entry_id)) slots.push(under);
  return slots.filter((slot) => slot >= 0);
}

function arranged(fresh) {
  const slots = open() ? held(fresh) : [];
  const same = (one) => (other) => one.entry_id === other.entry_id;
  const kept = new Map(slots.map((slot) => [slot, fresh.find(same(rows[slot])) ?? rows[slot]]));
  const free = (row) => ![...kept.values()].some(same(row));
  const coming = fresh.filter(free);
  const spare = rows.filter((row) => free(row) && !fresh.some(same(row)));
  const last = Math.max(-1, ...slots);
  const arrangement = [];
  for (let slot = 0; slot < MOST; slot += 1) {
    const row = kept.get(slot) ?? coming.shift() ?? (slot < last ? spare.shift() : undefined);
    if (!row) break;
    arrangement.push(row);
  }
  return arrangement;
}

function take(fresh) {
  rows = arranged(fresh);
  rows.forEach((row, slot) => write(slot, row));
  for (const item of options().slice(rows.length)) item.remove();
  if (!rows.length) close();
  else if (!done && !over && document.activeElement === box) show();
}

// The keyboard of a phone covers the page without the page knowing, but for the part of it that can be seen.
function fit() {
  const { offsetTop, height } = window.visualViewport;
  const room = () => offsetTop + height - list.getBoundingClientRect().top - 8;
  if (room() < ROOM) form.scrollIntoView({ block: "start" });
  list.style.maxHeight = `${Math.max(ROOM, room())}px`;
}

function show() {
  if (open() || !rows.length) return;
  list.hidden = false;
  box.setAttribute("aria-expanded", "true");
  fit();
}

function close() {
  activate(-1);
  pointed = -1;
  list.hidden = true;
  box.setAttribute("aria-expanded", "false");
}

function activate(slot) {
  list.children[active]?.setAttribute("aria-selected", "false");
  active = slot;
  const item = list.children[slot];
  if (!item) return box.removeAttribute("aria-activedescendant");
  item.setAttribute("aria-selected", "true");
  box.setAttribute("aria-activedescendant", item.id);
  item.scrollIntoView({ block: "nearest" });
}

function count() {
  const counts = document.getElementById("counts").content.children;
  status.textContent = counts[rows.length - 1]?.textContent ?? "";
}

// The typing has stopped: the list gives way to the answer, unless somebody is choosing from it.
function settle() {
  clearTimeout(timer);
  timer = null;
  if (active >= 0 || pointed >= 0) return;
  if (waiting()) return open() && count();
  over = true;
  close();
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(settle, PAUSE_MS);
}

// --- asking the server -----------------------------------------------------------------------------------------------

function want() {
  const text = typed();
  if (flight) {
    // A word that is still being typed may as well see what its beginning brought; anything else is too late.
    if (!text.startsWith(flight.text) || performance.now() - flight.began > STALE_MS) flight.controller.abort();
  } else if (text && text !== latest) send(text);
  else if (text && !done) show();
}

async function ask(text, signal) {
  const fields = new URLSearchParams(new FormData(form));
  fields.set("q", text);
  fields.set("k", MOST);
  try {
    const response = await fetch(`/suggest?${fields}`, { signal });
    return response.ok ? (await response.json()).suggestions : null;
  } catch {
    return null; // without suggestions the page answers all the same
  }
}

async function send(text) {
  const controller = new AbortController();
  flight = { text, controller, began: performance.now() };
  const giveUp = setTimeout(() => typed() !== text && controller.abort(), STALE_MS);
  const fresh = await ask(text, controller.signal);
  clearTimeout(giveUp);
  flight = null;
  if (fresh && typed() && typed().startsWith(text)) {
    latest = text;
    take(fresh.slice(0, MOST));
  }
  if (typed() !== text) want();
}

// --- what the asker does ---------------------------------------------------------------------------------------------

function choose(slot) {
  box.value = rows[slot].question;
  form.requestSubmit();
}

function step(by) {
  const places = rows.length + 1; // the box is one of them, before the first and after the last
  activate(((active + 1 + by + places) % places) - 1);
}

function openWith(slot) {
  show();
  activate(slot);
}

function unfold() {
  done = over = false;
  want();
}

const ready = () => rows.length > 0 && latest === typed();

const keys = {
  ArrowDown({ altKey }) {
    if (altKey) unfold();
    else if (open()) step(1);
    else if (!done && ready()) openWith(0);
    else return false;
    return true;
  },
  ArrowUp({ altKey }) {
    if (altKey && open()) close();
    else if (open()) step(-1);
    else if (!done && ready()) openWith(rows.length - 1);
    else return false;
    return true;
  },
  Enter() {
    if (!open() || active < 0) return false;
    choose(active);
    return true;
  },
  Escape() {
    if (!open()) return false;
    done = true;
    close();
    return true;
  },
};

function inText() {
  activate(-1); // the text is edited, so nothing is chosen
  return false;
}

box.addEventListener("keydown", (event) => {
  // While an input method composes, its keys are its own. Safari tells the last of them by its code alone.
  if (event.isComposing || event.keyCode === 229 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const arrow = event.key === "ArrowDown" || event.key === "ArrowUp";
  if (event.altKey && !arrow) return;
  const act = ["Home", "End", "ArrowLeft", "ArrowRight"].includes(event.key) ? inText : keys[event.key];
  if (act?.(event)) event.preventDefault();
});

box.addEventListener("input", () => {
  done = over = false;
  activate(-1);
  wait();
  if (typed()) return want();
  flight?.controller.abort();
  latest = "";
  rows = [];
  close();
});

form.addEventListener("submit", () => {
  done = true;
  close();
});

form.addEventListener("change", (event) => {
  if (event.target !== box) latest = ""; // other filters, other suggestions
});

box.addEventListener("blur", close);
results.addEventListener("shown", () => timer === null && settle());

list.addEventListener("pointerdown", (event) => event.preventDefault()); // focus stays in the box
list.addEventListener("pointermove", ({ target, screenX, screenY }) => {
  const place = `${screenX} ${screenY}`;
  if (pointer && place !== pointer) pointed = options().indexOf(target.closest("li"));
});
document.addEventListener("pointermove", ({ screenX, screenY }) => {
  const place = `${screenX} ${screenY}`;
  if (timer && pointer !== place) wait(); // perhaps on its way to the list
  pointer = place;
});
list.addEventListener("pointerleave", () => {
  pointed = -1;
  if (timer === null) settle();
});
list.addEventListener("click", ({ target }) => {
  const slot = options().indexOf(target.closest("li"));
  if (slot >= 0) choose(slot);
});

window.visualViewport.addEventListener("resize", () => open() && fit());

box.setAttribute("role", "combobox");
box.setAttribute("aria-autocomplete", "list");
box.setAttribute("aria-expanded", "false");
box.setAttribute("aria-controls", list.id);
