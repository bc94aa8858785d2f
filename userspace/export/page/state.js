// SPDX-License-Identifier: Apache-2.0
// What the page shows. All of it is in the address behind '#', so that a copied link shows the same.

const MODES = ["graph", "inverted", "sandwich"];
const HIDES = ["library", "runtime", "small"];
const THEMES = ["light", "dark"];
const SORTS = ["self", "total", "name"];

// On a small screen the list of threads comes when it is asked for.
function hasRoom() {
  return innerWidth >= 1000;
}

const state = {
  mode: "graph",
  flipped: false,  // the root at the bottom
  zoom: [],        // frames from below the root to the box that is zoomed to
  focus: -1,       // the frame the sandwich is about, marked in the other modes
  query: "",
  off: new Set(),  // threads that are left out
  split: profile.split,
  lines: true,
  hide: new Set(),
  clock: clocks[0],
  sort: "self",
  price: 0,        // of a core and an hour
  showTable: true,
  showThreads: hasRoom(),
  theme: "",       // as the system has it
};

const listOf = (text) => (text || "").split(".").filter((part) => /^\d+$/.test(part)).map(Number);
const oneOf = (known, word) => (known.includes(word) ? word : known[0]);

function stateText() {
  const parts = new URLSearchParams();
  const add = (key, value) => value && parts.set(key, value);
  add("view", state.mode === "graph" ? "" : state.mode);
  add("root", state.flipped && "bottom");
  add("zoom", state.zoom.join("."));
  add("function", state.focus >= 0 && String(state.focus));
  add("search", state.query);
  add("without", [...state.off].join("."));
  add("threads", state.split !== profile.split && (state.split ? "apart" : "merged"));
  add("lines", !state.lines && "merged");
  add("hide", [...state.hide].join("."));
  add("clock", state.clock !== clocks[0] && state.clock.key);
  add("sort", state.sort !== "self" && state.sort);
  add("price", state.price > 0 && String(state.price));
  add("table", !state.showTable && "off");
  add("list", state.showThreads !== hasRoom() && (state.showThreads ? "on" : "off"));
  add("theme", state.theme);
  return parts.toString();
}

// Numbers out of range and unknown words are passed over: an address is input like any other.
function readState(text) {
  const parts = new URLSearchParams(text);
  state.lines = parts.get("lines") !== "merged";
  if (!state.lines) functionOf(0);
  state.mode = oneOf(MODES, parts.get("view"));
  state.flipped = parts.get("root") === "bottom";
  state.zoom = listOf(parts.get("zoom")).filter((frame) => frame < frames.text.length);
  const [focus] = listOf(parts.get("function"));
  state.focus = focus > 0 && focus < frames.text.length ? focus : -1;
  state.query = (parts.get("search") || "").slice(0, 1000);
  state.off = new Set(listOf(parts.get("without")).filter((thread) => thread < profile.threads.length));
  const threads = parts.get("threads");
  state.split = threads ? threads === "apart" : profile.split;
  state.hide = new Set((parts.get("hide") || "").split(".").filter((word) => HIDES.includes(word)));
  state.clock = clocks.find((clock) => clock.key === parts.get("clock")) || clocks[0];
  state.sort = oneOf(SORTS, parts.get("sort"));
  state.price = Math.max(0, Number(parts.get("price")) || 0);
  state.showTable = parts.get("table") !== "off";
  state.showThreads = parts.has("list") ? parts.get("list") === "on" : hasRoom();
  state.theme = THEMES.includes(parts.get("theme")) ? parts.get("theme") : "";
}

let written = "";

// `step`: the browser's Back leads to what was shown before.
function writeState(step) {
  const text = stateText();
  if (text === written) return;
  written = text;
  if (step) location.hash = text;
  else history.replaceState(null, "", "#" + text);
}
