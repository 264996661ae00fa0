// <faq-search src="https://faq.example">: the search box for any page. docs/embed.md says how it is used and styled.
// The pages are not ours: it adds one element and no global, writes no style and no HTML, and shows only what it lists.
const SERVER = {}; // the server puts in here: `texts` by language, the default `message`, and `most`, the length of the longest question
const PAUSE_MS = 150; // people who are still typing leave less than this between two keys
const SETTLED_MS = 500; // after which the suggestions make way for the answer
const PATIENCE_MS = 15_000;
const SHOWN = new Set(
  "a b blockquote br code dd del div dl dt em i kbd li mark ol p pre s strong sub sup table tbody td th thead tr u ul".split(" "),
);

const sheet = new CSSStyleSheet(); // not <style>: a page's policy may forbid it
sheet.replaceSync(`
:host {
  --accent: var(--faq-accent, light-dark(#9a5700, #f0b557));
  --on-accent: var(--faq-on-accent, light-dark(#fff, #241700));
  --surface: var(--faq-surface, light-dark(#fff, #1e1b18));
  --text: var(--faq-text, light-dark(#1d1b18, #ece7df));
  --quiet: var(--faq-quiet, light-dark(#6b655c, #a79f93));
  --line: var(--faq-line, light-dark(#e6e1d8, #35302a));
  --radius: var(--faq-radius, 12px);
  display: block; color: var(--text); line-height: 1.55; text-align: start; overflow-wrap: anywhere;
}
:host([hidden]), [hidden] { display: none; }
* { box-sizing: border-box; margin: 0; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
mark { background: var(--faq-mark, light-dark(#ffe2ab, #59431a)); color: inherit; }
[dir=auto] { unicode-bidi: plaintext; }
form { position: relative; }
.box, .list, .panel { border: 1px solid var(--quiet); border-radius: var(--radius); background: var(--surface); }
.box { display: flex; padding: .3em; }
.box:focus-within { outline: 3px solid var(--accent); }
input { flex: 1; min-width: 0; padding: .5em .6em; border: 0; background: none; color: inherit; font: inherit; outline: 0 !important; }
::-webkit-search-cancel-button { filter: grayscale(1); }
input::placeholder { color: var(--quiet); opacity: 1; }
button { padding: .4em 1em; border: 0; border-radius: calc(var(--radius) - 5px); background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; cursor: pointer; }
.list { position: absolute; z-index: var(--faq-layer, 10); inset: calc(100% + 4px) 0 auto; max-height: 20em; overflow-y: auto; padding: .3em; list-style: none; box-shadow: 0 12px 28px -12px #0006; }
.list li { padding: .45em .7em; border-radius: calc(var(--radius) - 5px); cursor: pointer; }
.list li:hover { background: var(--line); }
.list [aria-selected=true] { background: var(--accent); color: var(--on-accent); }
.status { position: absolute; overflow: hidden; width: 1px; height: 1px; clip-path: inset(50%); white-space: nowrap; }
.panel { margin-top: .75em; padding: 1em 1.15em; border-color: var(--line); }
.panel > * + *, .prose > * + * { margin-top: .6em; }
.small { font-size: .875em; color: var(--quiet); }
.verdict { display: flex; flex-wrap: wrap; align-items: center; gap: 0 .7em; font-weight: 600; color: var(--text); }
.bar { flex: 0 1 4.5em; height: .4em; border-radius: 1em; background: var(--line); overflow: hidden; }
.bar span { display: block; height: 100%; background: var(--accent); }
.title { font-size: 1.15em; font-weight: 650; line-height: 1.3; }
.prose { margin-block: .5em; }
:is(ul, ol) { padding-inline-start: 1.4em; }
pre, code { font: .92em/1.5 ui-monospace, monospace; white-space: pre-wrap; }
:is(td, th) { padding: .25em .6em; border: 1px solid var(--line); text-align: start; }
.panel > .label { margin-top: 1.2em; font-weight: 600; }
details { padding: .4em 0; border-top: 1px solid var(--line); }
summary { font-weight: 600; cursor: pointer; }
[aria-busy=true] { opacity: .6; transition: opacity 0s .25s; }
form:has(+ * + [aria-busy=true]) .box { border-bottom: 2px dashed var(--accent); }
@media (forced-colors: active) { .bar span, .list [aria-selected=true] { background: Highlight; color: HighlightText; forced-color-adjust: none; } }
`);

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const name in attributes) if (attributes[name]) node.setAttribute(name, attributes[name]);
  node.append(...children.filter(Boolean));
  return node;
}

function web(address, base) {
  const url = URL.parse(address, base);
  return /^(https?|mailto):$/.test(url?.protocol) && url.href;
}

let policy;

// A tree in a document of its own, where nothing loads or runs. The server has sanitised it already.
function parsed(html) {
  const { body } = document.implementation.createHTMLDocument("");
  if (body.setHTML) {
    body.setHTML(html);
    return body;
  }
  // Without setHTML there are only sinks: a page that requires Trusted Types has to allow `faq-search`.
  policy ??= window.trustedTypes?.createPolicy("faq-search", { createHTML: String }) ?? { createHTML: String };
  return new DOMParser().parseFromString(policy.createHTML(html), "text/html").body;
}

// The same, made anew of the elements and attributes that are listed.
function copied(parent, base) {
  return [...parent.childNodes].flatMap((node) => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    const tag = node.localName?.replace(/^h[1-6]$/, "p");
    if (!tag || /^(script|style|template|svg|math)$/.test(tag)) return [];
    const inside = copied(node, base);
    if (!SHOWN.has(tag)) return inside;
    const href = tag === "a" && web(node.getAttribute("href"), base);
    return make(tag, { href, rel: href && "noreferrer", colspan: parseInt(node.getAttribute("colspan")) }, ...inside);
  });
}

class FaqSearch extends HTMLElement {
  static observedAttributes = ["src", "placeholder", "label", "lang", "k", "tags"];

  #base;
  #lang;
  #form = make("form", { part: "form", role: "search" });
  #box = make("input", {
    part: "input", type: "search", role: "combobox", dir: "auto", autocomplete: "off", enterkeyhint: "search",
    "aria-autocomplete": "list", "aria-controls": "list", "aria-expanded": "false",
  });
  #button = make("button", { part: "button" });
  #list = make("ul", { part: "list", id: "list", class: "list", role: "listbox", hidden: "hidden" });
  #status = make("p", { class: "status", role: "status" });
  #results = make("div", { part: "results" });
  #rows = []; // the suggestions
  #active = -1;
  #typed = 0; // when
  #shown = ""; // the question whose answer or error is shown
  #failed = false;
  #timers = [];
  #asking = new AbortController();
  #living;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.#form.append(make("div", { part: "box", class: "box" }, this.#box, this.#button), this.#list);
    root.append(this.#form, this.#status, this.#results);
    this.#box.addEventListener("input", () => this.#input());
    this.#box.addEventListener("keydown", (event) => this.#key(event));
    this.#box.addEventListener("blur", () => this.#close());
    this.#form.addEventListener("submit", (event) => (event.preventDefault(), this.ask(this.value)));
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault()); // the focus stays in the box
    this.#list.addEventListener("pointerleave", () => this.#settle());
    this.#list.addEventListener("click", ({ target }) => this.#choose([...this.#list.children].indexOf(target.closest("li"))));
  }

  connectedCallback() {
    this.#living = new AbortController();
    addEventListener("online", () => this.#failed && this.ask(this.value), this.#living);
    this.#prepare();
  }

  disconnectedCallback() {
    this.#living.abort();
    this.#stop();
    this.#close();
    this.#busy(false);
  }

  attributeChangedCallback(name) {
    if (!this.isConnected || !this.#living) return;
    this.#prepare();
    const shown = this.#shown;
    if (!shown || ["placeholder", "label"].includes(name)) return;
    this.#shown = "";
    this.ask(shown);
  }

  // The question in the box. Setting it asks nothing.
  get value() {
    return this.#box.value.trim();
  }

  set value(question) {
    this.#box.value = question;
  }

  focus(options) {
    this.#box.focus(options);
  }

  // Puts a question into the box and shows its answer.
  ask(question) {
    this.#stop();
    this.#close();
    this.value = question;
    return this.#answer(this.value);
  }

  #prepare() {
    const code = this.closest("[lang]")?.lang.split("-")[0].toLowerCase();
    this.#lang = SERVER.texts[code] ? code : Object.keys(SERVER.texts)[0];
    const src = new URL(this.getAttribute("src") ?? new URL(".", import.meta.url), document.baseURI);
    this.#base = (src.origin + src.pathname).replace(/\/+$/, "");
    const label = this.getAttribute("label") || this.#t("box.label");
    this.#box.ariaLabel = this.#form.ariaLabel = this.#list.ariaLabel = label;
    this.#box.placeholder = this.getAttribute("placeholder") || label;
    this.#button.textContent = this.#t("box.search");
    for (const part of this.shadowRoot.children) part.lang = this.#lang;
  }

  #t(key, values = {}) {
    let text = key.split(".").reduce((texts, name) => texts[name], SERVER.texts[this.#lang]);
    if (text.other) text = text[new Intl.PluralRules(this.#lang).select(values.n)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name].toLocaleString(this.#lang));
  }

  #fields(question, name) {
    const tags = (this.getAttribute("tags") ?? "").split(",").map((tag) => tag.trim()).filter(Boolean);
    return new URLSearchParams([["q", question], ...tags.map((tag) => [name, tag])]);
  }

  async #get(path, signal) {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    const reply = await fetch(`${this.#base}/${path}`, { signal: limited, credentials: "omit", referrerPolicy: "no-referrer" });
    if (!reply.ok) throw new Error("", { cause: reply.status === 503 ? "busy" : "failed" });
    return reply.json();
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #busy(yes) {
    this.#results.ariaBusy = yes;
  }

  // --- suggestions, while one types ---

  #input() {
    this.#stop();
    this.#typed = performance.now();
    this.#activate(-1);
    const question = this.value;
    if (!question) return this.#clear();
    this.#busy(question !== this.#shown);
    if ([...question].length <= SERVER.most) this.#suggest(question);
    this.#timers = [
      setTimeout(() => this.#answer(question), PAUSE_MS),
      setTimeout(() => this.#settle(), SETTLED_MS),
    ];
  }

  #stop() {
    this.#timers.forEach(clearTimeout);
    this.#asking.abort();
    this.#asking = new AbortController();
  }

  #clear() {
    this.#close();
    this.#rows = [];
    this.#show("", "");
  }

  async #suggest(question) {
    const { signal } = this.#asking;
    const found = await this.#get(`suggest?${this.#fields(question, "tag")}`, signal).catch(() => null); // the answer says what is wrong
    if (signal.aborted || !found) return;
    this.#rows = found.suggestions;
    this.#list.replaceChildren(...this.#rows.map(({ lang, parts }, at) => {
      const words = parts.map(({ text, match }) => (match ? make("b", {}, text) : text));
      return make("li", { part: "option", id: `option-${at}`, role: "option", "aria-selected": "false", lang, dir: "auto" }, ...words);
    }));
    if (this.#rows.length && this.#list.hidden) this.#status.textContent = this.#t("embed.suggested", { n: this.#rows.length });
    this.#open();
    this.#settle();
  }

  #open() {
    this.#list.hidden = !this.#rows.length || this.shadowRoot.activeElement !== this.#box;
    this.#box.ariaExpanded = !this.#list.hidden;
  }

  #close() {
    this.#activate(-1);
    this.#list.hidden = true;
    this.#box.ariaExpanded = false;
  }

  // One thing at a time: the suggestions make way once the answer stands there.
  #settle() {
    const waits = performance.now() - this.#typed < SETTLED_MS - 1 || this.#shown !== this.value;
    if (!waits && this.#active < 0 && !this.#list.matches(":hover")) this.#close();
  }

  #activate(at) {
    this.#list.children[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = at;
    const row = this.#list.children[at];
    row?.setAttribute("aria-selected", "true");
    row?.scrollIntoView({ block: "nearest" });
    if (row) this.#box.setAttribute("aria-activedescendant", row.id);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  #choose(at) {
    const { entry_id, question } = this.#rows[at] ?? {};
    if (!question) return;
    this.#tell("faq-choose", { entry_id, question });
    this.ask(question);
  }

  #key(event) {
    const { key, altKey } = event;
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    if (step) {
      if (this.#list.hidden) this.#open();
      const places = this.#rows.length + 1; // the box itself is one
      if (altKey && step < 0) this.#close();
      else if (!altKey) this.#activate(((this.#active + 1 + step + places) % places) - 1);
    } else if (key === "Enter" && this.#active >= 0) this.#choose(this.#active);
    else if (key === "Escape" && !this.#list.hidden) this.#close();
    else if (key === "Escape") this.ask("");
    else return /^(Arrow|Home|End)/.test(key) && this.#activate(-1);
    event.preventDefault();
  }

  // --- the answer, when one stops ---

  async #answer(question) {
    if (!question) return this.#clear();
    if (question === this.#shown && !this.#failed) return this.#busy(false);
    const { signal } = this.#asking;
    this.#busy(true);
    try {
      if ([...question].length > SERVER.most) throw new Error("", { cause: "long" });
      const k = parseInt(this.getAttribute("k")) || 3;
      const answer = await this.#get(`ask?${this.#fields(question, "tags")}&k=${k}`, signal);
      if (signal.aborted) return;
      this.#show(question, ...this.#found(answer));
      this.#tell("faq-answer", answer);
    } catch (error) {
      const kind = !signal.aborted && (await this.#why(error));
      if (signal.aborted) return;
      this.#show(question, ...this.#wrong(kind, question));
      this.#failed = true;
      this.#tell("faq-error", { question, kind });
    }
    this.#settle();
  }

  #show(question, spoken, ...parts) {
    this.#shown = question;
    this.#failed = false;
    this.#results.replaceChildren(...(parts.length ? [make("article", { part: "panel", class: "panel" }, ...parts)] : []));
    this.#busy(false);
    this.#status.textContent = spoken;
  }

  // Browsers do not tell a server that is down from one that lets other sites ask, but not this one.
  async #why(error) {
    if (error.cause) return error.cause;
    if (!navigator.onLine) return "offline";
    const reached = (path, mode) => fetch(`${this.#base}/${path}`, { mode, credentials: "omit" }).catch(() => null);
    if (error.name === "TimeoutError" || !(await reached("healthz", "no-cors"))) return "unreachable";
    if (await reached("suggest?q=", "cors")) return "failed";
    console.warn(`faq-search: ${this.#base} does not list ${location.origin} among its --origins`);
    return "refused";
  }

  #wrong(kind, question) {
    const key = { offline: "error.unreachable", refused: "embed.refused", unreachable: "error.unreachable", long: "error.long" }[kind];
    const error = this.#t(key ?? "error.failed", { n: [...question].length, most: SERVER.most });
    const again = make("button", { part: "again" }, this.#t("embed.again"));
    again.addEventListener("click", () => (this.#box.focus(), this.ask(this.value)));
    return [
      `${this.#t("error.title")}. ${error}`,
      make("p", { class: "title" }, this.#t("error.title")),
      make("p", {}, error),
      kind === "refused" ? this.#more(question) : kind !== "long" && again,
    ];
  }

  #found(answer) {
    const { answered, corrected, hits, missing } = answer;
    const rows = hits.slice(answered ? 1 : 0);
    const own = answer.message !== SERVER.message && answer.message; // the server's default is in one language
    const message = own || this.#t(hits.length ? "none.nearest" : "none.nothing");
    const words = new Intl.ListFormat(this.#lang, { type: "disjunction" }).format(missing.slice(0, 6));
    const small = (part, key, values) => make("p", { part, class: `small ${part}` }, this.#t(key, values));
    return [
      answered
        ? `${this.#t("results.found", { n: hits.length })}. ${this.#t(`level.${answer.level}`)}`
        : `${this.#t("none.title")}. ${message}`,
      corrected && small("corrected", "results.corrected", { question: corrected }),
      ...(answered ? [this.#verdict(answer), this.#title(hits[0], "p"), this.#body(hits[0])] : [
        make("p", { class: "title" }, this.#t("none.title")),
        make("p", { part: "message", dir: "auto" }, message),
      ]),
      missing.length && small("missing", "missing.sentence", { words }),
      rows.length && small("label", answered ? "results.also" : "results.nearest"),
      ...rows.map((hit) => make("details", { part: "other" }, this.#title(hit, "summary"), this.#body(hit))),
      this.#more(answer.question),
    ];
  }

  #verdict({ confidence, level }) {
    const n = Math.min(Math.max(Math.round(100 * confidence), 1), 99);
    const fill = make("span", { part: "fill" });
    fill.style.inlineSize = `${n}%`; // through the object model, which no policy forbids
    const meaning = this.#t("confidence.meaning", { n });
    const bar = { part: "bar", class: "bar", role: "img", "aria-label": meaning, title: meaning };
    return make("p", { part: "confidence", class: "small verdict" }, this.#t(`level.${level}`), make("span", bar, fill));
  }

  #title({ lang, question, source }, tag) {
    const name = make("span", { lang, dir: "auto" }, question || source.title || source.file);
    return make(tag, { part: "question", class: tag === "p" && "title" }, name);
  }

  #body(hit) {
    let prose;
    try {
      prose = copied(parsed(hit.answer.html), this.#base);
    } catch {
      prose = [make("pre", {}, hit.answer.text)]; // the page lets nothing be parsed
    }
    return make("div", {}, make("div", { part: "answer", class: "prose", lang: hit.lang, dir: "auto" }, ...prose), this.#source(hit));
  }

  #source({ link, source, validity, valid_from, valid_until }) {
    const href = link && web(link);
    const dated = validity !== "valid" && `${this.#t(validity === "expired" ? "hit.expired" : "hit.upcoming", { date: valid_until ?? valid_from })} · `;
    const name = make(href ? "a" : "span", { part: "source", href, rel: href && "noreferrer", dir: "auto" }, source.title || source.file);
    return make("p", { class: "small" }, dated, `${this.#t("hit.source")} `, name);
  }

  #more(question) {
    const href = `${this.#base}/?${this.#fields(question, "tag")}`;
    return make("p", { class: "small" }, make("a", { part: "more", href, rel: "noreferrer" }, this.#t("embed.more")));
  }
}

if (!customElements.get("faq-search")) customElements.define("faq-search", FaqSearch);
