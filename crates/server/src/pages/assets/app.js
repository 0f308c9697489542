// Everything here is a convenience: without it the pages work with plain links and forms.
"use strict";

// The theme is set before the page is drawn.
const THEMES = ["system", "light", "dark"];
const root = document.documentElement;

function theme() {
  try {
    const stored = localStorage.getItem("theme");
    return THEMES.includes(stored) ? stored : "system";
  } catch {
    return "system";
  }
}

function applyTheme(name) {
  if (name === "system") delete root.dataset.theme;
  else root.dataset.theme = name;
  const word = document.getElementById("theme-word");
  if (word) word.textContent = name[0].toUpperCase() + name.slice(1) + " theme";
}

applyTheme(theme());

document.addEventListener("DOMContentLoaded", () => {
  themeButton();
  notice();
  fresh(document);
  dialogs();
  busyButtons();
  repositoryRows();
  pushPattern();
  sessionForm();
  diffs();
  liveParts();
  sessionLog();
  waiting();
  setInterval(() => clocks(document), 1000);
});

function themeButton() {
  const button = document.getElementById("theme");
  if (!button) return;
  button.hidden = false;
  applyTheme(theme());
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    try {
      localStorage.setItem("theme", next);
    } catch {
      // It then holds for this page only.
    }
    applyTheme(next);
  });
}

// Word of what was done is shown once, not after a reload.
function notice() {
  const url = new URL(location.href);
  if (!url.searchParams.has("did")) return;
  url.searchParams.delete("did");
  history.replaceState(null, "", url);
}

// What has to be done for a part of the page that was just put in.
function fresh(part) {
  for (const time of part.querySelectorAll("time[datetime]")) {
    time.title = new Date(time.dateTime).toLocaleString() + " (" + time.title + ")";
  }
  for (const input of part.querySelectorAll("[data-instance]")) {
    const link = (input.closest("section") ?? input.form).querySelector("[data-token-path]");
    const point = () => {
      let base = input.dataset.instance;
      try {
        const typed = new URL(input.value.trim());
        if (/^https?:$/.test(typed.protocol)) base = typed.origin;
      } catch {
        // Not an address yet.
      }
      if (!link) return;
      link.hidden = !base;
      if (base) link.href = base + link.dataset.tokenPath;
    };
    input.oninput = point;
    point();
  }
  for (const button of part.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
    button.onclick = async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.textContent = "Copied";
      } catch {
        // It can still be copied by hand.
      }
    };
  }
}

// The same words as the server's.
function ago(seconds) {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min ago";
  if (seconds < 86400) return Math.floor(seconds / 3600) + " h ago";
  const days = Math.floor(seconds / 86400);
  return days < 30 ? days + (days === 1 ? " day ago" : " days ago") : null;
}

function span(seconds) {
  const pair = (large, unit, small, smallUnit) => large + " " + unit + (small ? " " + small + " " + smallUnit : "");
  if (seconds < 60) return Math.max(0, Math.floor(seconds)) + " s";
  if (seconds < 3600) return pair(Math.floor(seconds / 60), "min", Math.floor(seconds % 60), "s");
  if (seconds < 86400) return pair(Math.floor(seconds / 3600), "h", Math.floor((seconds % 3600) / 60), "min");
  return pair(Math.floor(seconds / 86400), "d", Math.floor((seconds % 86400) / 3600), "h");
}

function clocks(part) {
  const since = (text) => (Date.now() - new Date(text)) / 1000;
  const put = (node, text) => {
    if (text && node.textContent !== text) node.textContent = text;
  };
  for (const node of part.querySelectorAll("[data-since]")) put(node, span(since(node.dataset.since)));
  for (const node of part.querySelectorAll("time[data-ago]")) put(node, ago(since(node.dateTime)));
}

async function fetchPage(url) {
  const response = await fetch(url, { headers: { accept: "text/html" } });
  if (!response.ok || response.redirected) throw new Error("HTTP " + response.status);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// Links to small pages open them as dialogs.
function dialogs() {
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    try {
      const panel = (await fetchPage(link.href)).querySelector("[data-panel]");
      const fetched = document.importNode(panel, true);
      const open = link.closest("dialog");
      if (open) fillDialog(open, fetched);
      else showDialog(fetched, link);
    } catch {
      location.href = link.href;
    }
  });
}

function showDialog(panel, opener) {
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "dialog-heading");
  document.body.append(dialog);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    opener.focus();
  });
  if (opener.dataset.add) connectInPlace(dialog, opener);
  dialog.showModal();
  fillDialog(dialog, panel);
}

function fillDialog(dialog, panel) {
  panel.removeAttribute("aria-labelledby");
  panel.querySelector("h1").id = "dialog-heading";
  dialog.replaceChildren(panel);
  fresh(panel);
  (panel.querySelector("[autofocus], [data-first], input:not([type=hidden])") || panel.querySelector("a, button")).focus();
}

// Connects an account for a form that stays as it is; what was connected is chosen in it.
function connectInPlace(dialog, opener) {
  const slug = opener.dataset.add;
  dialog.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.dataset.sent) return;
    if (form.target) {
      // The provider is in another tab; what was connected is there when somebody comes back from it.
      const back = new URL(opener.href).searchParams.get("return");
      const look = async () => {
        const page = await fetchPage(back).catch(() => null);
        if (page && freshSlots(page, slug, null)) removeEventListener("focus", look);
      };
      addEventListener("focus", look);
      setTimeout(() => dialog.close());
      return;
    }
    event.preventDefault();
    try {
      const body = new URLSearchParams(new FormData(form));
      const response = await fetch(form.action, { method: "POST", headers: { accept: "text/html" }, body });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (response.redirected) {
        // Behind what the dialog does itself when it closes.
        dialog.addEventListener("close", () => freshSlots(page, slug, new URL(response.url).searchParams.get("added")));
        dialog.close();
      } else {
        fillDialog(dialog, document.importNode(page.querySelector("[data-panel]"), true));
      }
    } catch {
      form.submit();
    }
  });
}

// What can be chosen now, with the choices as they are; in the row of `slug` the one that was added, if there is one.
function freshSlots(page, slug, added) {
  let found = false;
  for (const select of document.querySelectorAll("select[data-slot]")) {
    const next = page.getElementById(select.id);
    if (!next) continue;
    const before = [...select.options].map((option) => option.value);
    const others = [...next.options].map((option) => option.value).filter((value) => !before.includes(value));
    const own = select.dataset.slot === slug;
    const chosen = own ? (added ?? (others.length === 1 ? others[0] : select.value)) : select.value;
    select.replaceChildren(...document.importNode(next, true).children);
    select.value = chosen;
    if (select.selectedIndex < 0) select.selectedIndex = 0;
    const help = document.getElementById(select.id + "-help");
    help.replaceChildren(...document.importNode(page.getElementById(help.id), true).childNodes);
    if (own && !before.includes(chosen)) {
      found = true;
      select.removeAttribute("aria-invalid");
      select.focus();
      document.getElementById("slots-status").textContent = "Connected, and chosen: " + select.selectedOptions[0].text;
    }
  }
  return found;
}

// A form is sent once; its button says that something happens.
function busyButtons() {
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (event.target.dataset.sent) return event.preventDefault();
    event.target.dataset.sent = "true";
    if (button && button.dataset.busy) {
      button.setAttribute("aria-busy", "true");
      button.textContent = button.dataset.busy;
    }
  });
  // Coming back by the browser's history finds the form as it was.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}

function repositoryRows() {
  const box = document.getElementById("repositories");
  if (!box) return;
  const renumber = () => {
    const rows = [...box.children];
    rows.forEach((row, n) => {
      row.querySelector("[data-number]").textContent = "Repository " + (n + 1);
      for (const node of row.querySelectorAll("[id]")) {
        const id = node.id.replace(/\d+$/, n);
        row.querySelector(`label[for="${node.id}"]`)?.setAttribute("for", id);
        row.querySelector(`[list="${node.id}"]`)?.setAttribute("list", id);
        node.id = id;
      }
      const remove = row.querySelector(".remove");
      remove.value = n;
      remove.hidden = rows.length === 1;
      remove.querySelector(".sr").textContent = " repository " + (n + 1);
    });
  };
  box.form = box.closest("form");
  box.form.addEventListener("click", (event) => {
    const button = event.target.closest("button[name]");
    if (!button) return;
    if (button.name === "add") {
      event.preventDefault();
      const row = box.lastElementChild.cloneNode(true);
      for (const problem of row.querySelectorAll(".field-problem")) problem.remove();
      for (const told of row.querySelectorAll("datalist, .repo-check, [data-found]")) told.replaceChildren();
      for (const field of row.querySelectorAll("input, select")) {
        field.value = "";
        field.removeAttribute("aria-invalid");
        field.removeAttribute("aria-describedby");
      }
      // Set first: two labels must never point at one field.
      for (const node of row.querySelectorAll("[id]")) node.id = node.id.replace(/\d+$/, "9999");
      for (const label of row.querySelectorAll("label")) label.htmlFor = label.htmlFor.replace(/\d+$/, "9999");
      for (const field of row.querySelectorAll("[list]")) field.setAttribute("list", field.getAttribute("list").replace(/\d+$/, "9999"));
      box.append(row);
      renumber();
      row.querySelector("input").focus();
    } else if (button.name === "remove" && box.children.length > 1) {
      event.preventDefault();
      button.closest("fieldset").remove();
      renumber();
      box.querySelector("input").focus();
    }
  });
}

// The branch that a project's pattern makes, while it is typed.
function pushPattern() {
  const field = document.getElementById("pattern");
  const branch = document.getElementById("pattern-branch");
  if (!field || !branch) return;
  field.addEventListener("input", () => {
    const text = field.value.trim() || field.placeholder;
    branch.textContent = text.replace(/\{(session|user|date)\}/g, (_, name) => field.dataset[name]);
  });
}

// The form for a session suggests repositories and branches, and says which account it would use while it is filled in.
function sessionForm() {
  const form = document.getElementById("new-session");
  if (!form) return;
  const project = form.elements.project;
  const choose = form.querySelector("button[name=choose]");
  if (choose) {
    choose.hidden = true;
    project.addEventListener("change", () => form.requestSubmit(choose));
  }
  const api = (path, query) => `/api/v1/projects/${encodeURIComponent(project.value)}/repositories/${path}?` + new URLSearchParams(query);
  const json = async (url) => {
    const response = await fetch(url);
    if (!response.ok) throw new Error("HTTP " + response.status);
    return response.json();
  };
  const fill = (list, options) => list.replaceChildren(...options.map(({ value, label }) => Object.assign(document.createElement("option"), { value, label })));
  const later = (wait, work) => {
    let timer;
    return (...given) => {
      clearTimeout(timer);
      timer = setTimeout(() => work(...given).catch(() => {}), wait);
    };
  };
  const isUrl = (text) => /^(https?:\/\/|[\w.-]+@)/.test(text);

  const search = later(250, async (field) => {
    const text = field.value.trim();
    const found = field.parentElement.querySelector("[data-found]");
    if (text.length < 2 || field.value !== text || isUrl(text)) return;
    const { items } = await json(api("search", { q: text, limit: 10 }));
    if (field.value !== text) return;
    fill(field.list, items.map((item) => ({ value: item.url, label: item.path })));
    found.textContent = items.length === 1 ? "1 repository found; take it with the arrow keys." : items.length ? items.length + " repositories found; choose with the arrow keys." : "No repository of yours has this in its name.";
  });
  const branches = later(100, async (row) => {
    const field = row.querySelector("[name=branch]");
    const { items } = await json(api("branches", { url: row.querySelector("[name=url]").value.trim() }));
    fill(field.list, items.slice(0, 200).map(({ name }) => ({ value: name, label: "" })));
  });
  // The server says it as it does without a script; only what it says is taken over.
  const check = later(300, async () => {
    const body = new URLSearchParams(new FormData(form));
    body.set("check", "1");
    const rows = [...form.querySelectorAll("[data-repository]")];
    const response = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const answers = [...page.querySelectorAll(".repo-check")];
    if (answers.length !== rows.length) return;
    rows.forEach((row, n) => {
      const place = row.querySelector(".repo-check");
      const answer = document.importNode(answers[n], true);
      if (place && place.textContent !== answer.textContent) place.replaceChildren(...answer.childNodes);
    });
  });

  form.addEventListener("input", ({ target }) => {
    if (target.name !== "url") return;
    target.parentElement.querySelector("[data-found]").textContent = "";
    target.closest("[data-repository]").querySelector(".repo-check").replaceChildren();
    search(target);
    // One that was chosen from the list is whole; one that is typed is when the field is left.
    if ([...target.list.options].some(({ value }) => value === target.value)) target.dispatchEvent(new Event("change", { bubbles: true }));
  });
  form.addEventListener("change", ({ target }) => {
    const row = target.closest("[data-repository]");
    if (!row || !["url", "integration"].includes(target.name) || !isUrl(row.querySelector("[name=url]").value.trim())) return;
    if (target.name === "url") branches(row);
    check();
  });
  form.addEventListener("focusin", ({ target }) => {
    if (target.name === "branch" && !target.list.options.length) {
      const row = target.closest("[data-repository]");
      if (isUrl(row.querySelector("[name=url]").value.trim())) branches(row);
    }
  });
}

// A diff is fetched when its file is unfolded.
function diffs() {
  document.addEventListener("toggle", async ({ target: file }) => {
    if (!file.open || !file.dataset?.diff || file.dataset.fetched) return;
    file.dataset.fetched = "true";
    const box = file.querySelector(".diff-box");
    box.setAttribute("aria-busy", "true");
    try {
      const fetched = (await fetchPage(file.dataset.diff)).querySelector(`#${file.id} .diff-box`);
      box.replaceChildren(...document.importNode(fetched, true).childNodes);
    } catch {
      // The link in it leads there.
    }
    box.removeAttribute("aria-busy");
  }, true);
}

// A part of the page that follows: the server says when it shows something else, and then it is fetched anew.
function liveParts() {
  const part = document.getElementById("live");
  if (!part) return;
  let source;
  let last = Promise.resolve();
  // What nobody sees follows nothing.
  const follow = () => {
    source?.close();
    if (document.hidden) return;
    source = new EventSource(part.dataset.live + location.search.replace("?", "&"));
    source.onmessage = ({ lastEventId }) => {
      last = last.then(() => part.dataset.live.endsWith(lastEventId) || renew(part, location.href));
    };
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}

async function renew(now, url) {
  try {
    const next = (await fetchPage(url)).getElementById(now.id);
    const held = document.activeElement;
    become(now, next);
    fresh(now);
    clocks(now);
    // What had the focus may be elsewhere now, or gone.
    if (held && !held.isConnected) now.querySelector(`a[href="${held.getAttribute("href")}"], #again`)?.focus();
  } catch {
    // The next change, or a reload, shows it.
  }
}

// Makes a node like another. What is the same is left alone: its focus, what is unfolded in it, what was typed.
function become(now, next) {
  if (now.nodeType !== 1) {
    if (now.data !== next.data) now.data = next.data;
    return;
  }
  for (const { name } of [...now.attributes, ...next.attributes]) {
    const value = next.getAttribute(name);
    if (/^(open|data-fetched)$/.test(name) || now.getAttribute(name) === value) continue;
    if (value === null) now.removeAttribute(name);
    else now.setAttribute(name, value);
  }
  // A diff that was fetched already stays.
  if (now.dataset.fetched) return;
  const name = (node) => node.id || node.getAttribute?.("aria-labelledby") || "";
  let at = now.firstChild;
  const drop = () => {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  };
  for (const wanted of [...next.childNodes]) {
    let same = at;
    // Only what has a name is looked for further on.
    while (same && (same.nodeName !== wanted.nodeName || name(same) !== name(wanted))) same = name(wanted) ? same.nextSibling : null;
    if (same) {
      while (at !== same) drop();
      at = same.nextSibling;
      become(same, wanted);
    } else now.insertBefore(document.importNode(wanted, true), at);
  }
  while (at) drop();
}

// A page that waits for something elsewhere looks again, also while it is hidden: people are on the provider's page then.
function waiting() {
  const part = document.querySelector("[data-wait]");
  if (!part) return;
  const timer = setInterval(async () => {
    try {
      const response = await fetch(location.href, { headers: { accept: "text/html" } });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      if (!response.ok || page.querySelector("[data-wait]")) return;
      clearInterval(timer);
      location.assign(response.url);
    } catch {
      // The next turn may do better.
    }
  }, Number(part.dataset.wait) * 1000);
}

// Output for terminals as lines of styled text: what `ansi.rs` does, for what comes live.
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const visible = (text) => text.replace(HIDDEN, (c) => "\u27e8U+" + c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0") + "\u27e9");

class Terminal {
  constructor(node) {
    this.node = node;
    this.style = { colour: null, flags: new Set() };
    this.carry = "";
    this.restart = false;
  }

  // Writes a piece; `line` makes a node for a new line.
  write(piece, line) {
    const text = this.carry + piece;
    const token = /\x1b\[([\x20-\x3f]*)([\x40-\x7e])|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[^[\]PX^_]|\r\n|\r|\n|\x07|[^\x1b\r\n\x07]+/gy;
    let at = 0;
    for (let match = token.exec(text); match; match = token.exec(text)) {
      // A return at the very end may belong to a line feed that has not come yet.
      if (match[0] === "\r" && token.lastIndex === text.length) break;
      at = token.lastIndex;
      this.take(match, line);
    }
    const rest = text.slice(at);
    // An escape sequence that is not whole waits for the rest; one that never ends is thrown away.
    this.carry = rest.length < 4096 ? rest : "";
  }

  take([token, parameters, final], line) {
    if (token === "\n" || token === "\r\n") {
      if (!this.node) this.node = line();
      this.node = null;
      this.restart = false;
    } else if (token === "\r") {
      this.restart = true;
    } else if (final === "m" && !/^[?<>]/.test(parameters)) {
      this.sgr(parameters.split(/[;:]/).map(Number));
    } else if (token[0] !== "\x1b" && token !== "\x07") {
      this.text(token, line);
    }
  }

  text(text, line) {
    if (!this.node) this.node = line();
    if (this.restart) this.node.replaceChildren();
    this.restart = false;
    const room = 4000 - this.node.textContent.length;
    if (room <= 0) return;
    const shown = visible(text.length > room ? text.slice(0, room) + "\u2026" : text);
    const classes = [...(this.style.colour === null ? [] : ["c" + this.style.colour]), ...this.style.flags];
    if (!classes.length) return this.node.append(shown);
    const piece = document.createElement("span");
    piece.className = classes.join(" ");
    piece.textContent = shown;
    this.node.append(piece);
  }

  sgr(codes) {
    const { flags } = this.style;
    for (let n = 0; n < codes.length; n++) {
      const code = codes[n];
      if (code === 0) {
        this.style.colour = null;
        flags.clear();
      } else if (code >= 1 && code <= 4) flags.add("bdiu"[code - 1]);
      else if (code === 22) ["b", "d"].forEach((flag) => flags.delete(flag));
      else if (code === 23) flags.delete("i");
      else if (code === 24) flags.delete("u");
      else if (code >= 30 && code <= 37) this.style.colour = code - 30;
      else if (code >= 90 && code <= 97) this.style.colour = code - 82;
      else if (code === 39) this.style.colour = null;
      else if (code === 38 || code === 48) {
        const small = codes[n + 1] === 5 && codes[n + 2] < 16 ? codes[n + 2] : null;
        if (code === 38) this.style.colour = small;
        n += codes[n + 1] === 5 ? 2 : 4;
      }
    }
  }
}

const MOST_LINES = 5000;

function sessionLog() {
  const log = document.getElementById("log");
  if (!log) return;
  const tools = document.querySelector(".log-tools");
  const follow = document.getElementById("log-follow");
  const wrap = document.getElementById("log-wrap");
  tools.hidden = false;

  const toEnd = () => {
    if (follow.checked) log.scrollTop = log.scrollHeight;
  };
  wrap.addEventListener("change", () => log.classList.toggle("wrap", wrap.checked));
  if (matchMedia("(max-width: 760px)").matches) wrap.click();
  follow.addEventListener("change", toEnd);
  // Scrolling up is a wish to read; scrolling to the end is one to follow.
  log.addEventListener("wheel", () => requestAnimationFrame(() => {
    follow.checked = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  }), { passive: true });
  const search = logSearch(log);
  toEnd();
  if ("live" in log.dataset) followSession(log, search, toEnd);
}

function logSearch(log) {
  const input = document.getElementById("log-search");
  const found = document.getElementById("log-found");
  const only = document.getElementById("log-only");
  const buttons = ["log-previous", "log-next"].map((id) => document.getElementById(id));
  let ranges = [];
  // Which match one is at.
  let at = -1;

  const mark = () => {
    found.textContent = !input.value ? "" : at < 0 ? ranges.length + (ranges.length === 1 ? " match" : " matches") : `${at + 1} of ${ranges.length}`;
    buttons.forEach((button) => (button.disabled = !ranges.length));
    if (!window.Highlight) return;
    CSS.highlights.set("log", new Highlight(...ranges));
    CSS.highlights.set("log-at", new Highlight(...ranges.slice(at, at + 1).filter(() => at >= 0)));
  };
  const update = () => {
    const wanted = input.value.toLowerCase();
    ranges = [];
    for (const line of log.children) {
      const before = ranges.length;
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
      while (wanted && ranges.length < 2000 && walker.nextNode()) {
        const text = walker.currentNode.data.toLowerCase();
        for (let start = text.indexOf(wanted); start >= 0; start = text.indexOf(wanted, start + wanted.length)) {
          const range = new Range();
          range.setStart(walker.currentNode, start);
          range.setEnd(walker.currentNode, Math.min(start + wanted.length, walker.currentNode.length));
          ranges.push(range);
        }
      }
      line.classList.toggle("hit", ranges.length > before);
    }
    log.classList.toggle("filtered", Boolean(wanted) && only.checked);
    if (at >= ranges.length) at = -1;
    mark();
  };
  const go = (step) => {
    if (!ranges.length) return;
    at = at < 0 ? (step > 0 ? 0 : ranges.length - 1) : (at + step + ranges.length) % ranges.length;
    document.getElementById("log-follow").checked = false;
    ranges[at].startContainer.parentElement.scrollIntoView({ block: "nearest" });
    mark();
  };
  let timer;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(update, 120);
  };
  input.addEventListener("input", () => {
    at = -1;
    soon();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    clearTimeout(timer);
    update();
    go(event.shiftKey ? -1 : 1);
  });
  only.addEventListener("change", update);
  buttons[0].addEventListener("click", () => go(-1));
  buttons[1].addEventListener("click", () => go(1));
  return () => input.value && soon();
}

function followSession(log, search, toEnd) {
  const state = document.getElementById("log-state");
  const cut = document.getElementById("log-cut");
  const open = (source) => log.querySelector(`.line.${source}[data-open]`);
  const terminals = Object.fromEntries(["platform", "stdout", "stderr"].map((name) => [name, new Terminal(open(name))]));
  let waiting = [];

  const draw = () => {
    const batch = waiting;
    waiting = [];
    const added = document.createDocumentFragment();
    for (const { stream, text } of batch) {
      terminals[stream]?.write(text, () => {
        const line = document.createElement("div");
        line.className = "line " + stream;
        added.append(line);
        return line;
      });
    }
    log.append(added);
    for (let extra = log.children.length - MOST_LINES; extra > 0; extra--) {
      log.firstElementChild.remove();
      cut.hidden = false;
    }
    if (log.children.length) state.textContent = "";
    search();
    toEnd();
  };

  const source = new EventSource(log.dataset.events + "?after=" + log.dataset.last);
  source.addEventListener("message", (message) => {
    const event = JSON.parse(message.data);
    if (event.type !== "log") return refreshOverview(log.dataset.overview);
    if (waiting.push(event) === 1) requestAnimationFrame(draw);
    // A page in the background is not drawn; it must not gather without end either.
    if (waiting.length > 500) draw();
  });
  source.addEventListener("end", () => {
    source.close();
    refreshOverview(log.dataset.overview);
    if (!log.children.length && !waiting.length) state.textContent = "There was no output.";
  });
  source.addEventListener("problem", (message) => {
    source.close();
    state.textContent = JSON.parse(message.data).detail;
  });
  source.addEventListener("error", () => {
    const closed = source.readyState === EventSource.CLOSED;
    state.textContent = closed ? "The connection is lost. Reload the page to go on." : "Connecting again…";
  });
  source.addEventListener("open", () => {
    if (state.textContent === "Connecting again…") state.textContent = "";
  });
}

// Everything but the log comes from the server again when a step or phase changes; several changes at once make one.
let overviewWanted = false;

async function refreshOverview(url) {
  if (overviewWanted) return;
  overviewWanted = true;
  await new Promise((resolve) => setTimeout(resolve, 150));
  overviewWanted = false;
  const overview = document.getElementById("overview");
  await renew(overview, url);
  if ("over" in overview.dataset) document.getElementById("notice")?.remove();
}
