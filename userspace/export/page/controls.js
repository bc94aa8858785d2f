// SPDX-License-Identifier: Apache-2.0
// What people do, by mouse and by key.

function restack() {
  showStacks();
  showDetails();
  writeState();
}

function zoomTo(node) {
  state.zoom = current.view.path(node).slice(1).map((at) => current.view.frame[at]);
  showZoom();
  showDetails();
  writeState(true);
}

function resetZoom() {
  selected.box = null;
  zoomTo(0);
}

function setMode(mode) {
  if (mode === "sandwich" && selected.box && selected.box.node > 0) state.focus = selected.box.view.frame[selected.box.node];
  state.mode = mode;
  state.zoom = [];
  showMode();
  showDetails();
  writeState(true);
}

function sandwichOf(frame) {
  state.focus = frame;
  selected.box = null;
  setMode("sandwich");
}

// Marks a function in the picture and in the table.
function focusOn(frame) {
  if (state.mode === "sandwich") return sandwichOf(frame);
  state.focus = state.focus === frame ? -1 : frame;
  draw();
  [...table.body.children].forEach((row, at) => row.classList.toggle("selected",
    state.focus >= 0 && Boolean(table.rows[at]) && table.rows[at].frame === state.focus));
  writeState();
}

function pick(box) {
  if (!box) return;
  if (state.mode === "sandwich") return sandwichOf(box.view.frame[box.node]);
  selected.box = box;
  zoomTo(box.node);
}

function flip() {
  state.flipped = !state.flipped;
  layOutPicture();
  scrollToStart();
  draw();
  showControls();
  writeState();
}

// With merged lines a place in the picture stays the same place; on the way back there may be several.
function toggleLines() {
  state.zoom = state.lines ? state.zoom.map(functionOf) : [];
  state.focus = state.lines && state.focus >= 0 ? functionOf(state.focus) : -1;
  state.lines = !state.lines;
  restack();
}

function toggleHidden(word) {
  if (!state.hide.delete(word)) state.hide.add(word);
  restack();
}

function togglePanel(id, key) {
  state[key] = !state[key];
  byId(id).hidden = !state[key];
  showZoom();
  writeState();
}

function toggleTheme() {
  state.theme = palette.dark ? "light" : "dark";
  showTheme();
  draw();
  fillTable();
  showControls();
  writeState();
}

function searchFor(query) {
  state.query = query;
  runSearch(current.stacks, query);
  draw();
  fillTableSoon();
  writeState();
}

// Buttons and boxes as the state has them.
function showControls() {
  for (const mode of MODES) byId("mode-" + mode).setAttribute("aria-pressed", state.mode === mode);
  for (const word of HIDES) byId("hide-" + word).checked = state.hide.has(word);
  byId("flip").textContent = state.flipped ? "Root: bottom" : "Root: top";
  byId("lines").setAttribute("aria-pressed", state.lines);
  byId("show-threads").setAttribute("aria-pressed", state.showThreads);
  byId("show-table").setAttribute("aria-pressed", state.showTable);
  byId("dark").textContent = palette.dark ? "\u2600" : "\u263d";
  byId("dark").setAttribute("aria-label", palette.dark ? "Light" : "Dark");
  byId("clock").value = state.clock.key;
  byId("reset").disabled = current.zoomed === 0;
  byId("previous").disabled = byId("next").disabled = !search.frames;
  const { value, count } = current.stacks;
  say(`${withThousands(count[0])} samples shown` + (profile.cpu_ns > 0 ? `, ${cpuSeconds(value[0]).toFixed(2)} CPU-s` : ""));
}

// To the box beside, above or below the one that is selected; at first to the one zoomed to.
function moveSelection(key) {
  const line = picture.rows.findIndex((row) => indexOfSelected(row) >= 0);
  if (line < 0) return select({ view: current.view, node: current.zoomed });
  const row = picture.rows[line];
  const at = indexOfSelected(row);
  if (key === "ArrowLeft") return select(boxOf(row, Math.max(0, at - 1)));
  if (key === "ArrowRight") return select(boxOf(row, Math.min(row.node.length - 1, at + 1)));
  const away = picture.flipped ? "ArrowUp" : "ArrowDown";  // from the root
  const next = picture.rows[line + (key === away ? 1 : -1)];
  const near = next ? nearest(next, row.x[at], row.width[at]) : -1;
  if (near >= 0) select(boxOf(next, near));
}

// The box over the middle of a range, or any over a part of it.
function nearest(row, x, width) {
  const middle = row.at(x + width / 2);
  if (middle >= 0) return middle;
  return row.x.findIndex((left, at) => left < x + width && left + row.width[at] > x);
}

function zoomOut() {
  if (current.zoomed > 0 && state.mode !== "sandwich") zoomTo(current.view.parent[current.zoomed]);
}

const KEYS = {
  "/": () => byId("search").select(),
  n: () => stepMatch(1),
  p: () => stepMatch(-1),
  "+": () => pick(selected.box),
  "=": () => pick(selected.box),
  "-": zoomOut,
  0: resetZoom,
  Escape: resetZoom,
  g: () => setMode("graph"),
  i: () => setMode(state.mode === "inverted" ? "graph" : "inverted"),
  s: () => setMode(state.mode === "sandwich" ? "graph" : "sandwich"),
  f: flip,
  l: toggleLines,
  t: () => togglePanel("table", "showTable"),
  c: () => togglePanel("threads", "showThreads"),
  d: toggleTheme,
  "?": () => byId("keys").showModal(),
};

const KEY_TEXTS = [
  ["/", "search: text, /regular expression/ or file.py:42"],
  ["n p", "next and previous match"],
  ["arrows", "move from box to box"],
  ["Enter, +", "zoom to the selected box"],
  ["-", "zoom out by one caller"],
  ["0, Esc, double click", "the whole profile"],
  ["g", "graph"],
  ["i", "inverted: what ran first, its callers below"],
  ["s", "sandwich: callers and callees of the selected function"],
  ["f", "root at the top or at the bottom"],
  ["l", "lines of a function apart or merged"],
  ["c", "list of threads"],
  ["t", "table"],
  ["d", "dark or light"],
  ["Ctrl click", "sandwich of that function"],
];

function fillKeys() {
  const list = element("dl");
  for (const [key, text] of KEY_TEXTS) list.append(element("dt", key), element("dd", text));
  const close = element("button", "Close");
  close.addEventListener("click", () => byId("keys").close());
  byId("keys").append(element("h2", "Keys"), list, close);
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  const { target, key } = event;
  if (key === "Escape" && target === byId("search")) return clearSearch();
  if (target.matches("select, textarea, input:not([type='checkbox'])")) return;
  if (key === "Enter" && target !== canvas && target !== document.body) return;
  const work = key === "Enter" ? KEYS["+"] : key.startsWith("Arrow") ? () => moveSelection(key) : KEYS[key];
  if (!work) return;
  event.preventDefault();
  work();
}

function clearSearch() {
  byId("search").value = "";
  searchFor("");
  canvas.focus();
}

function onClick(id, work) {
  byId(id).addEventListener("click", work);
}

function connectPicture() {
  canvas.addEventListener("click", (event) => {
    const box = boxUnder(event);
    if (box && (event.ctrlKey || event.metaKey)) return sandwichOf(box.view.frame[box.node]);
    if (event.detail === 1) pick(box);
  });
  canvas.addEventListener("dblclick", resetZoom);
  canvas.addEventListener("mousemove", showTip);
  canvas.addEventListener("mouseleave", () => (byId("tip").hidden = true));
  graph.addEventListener("scroll", () => {
    byId("tip").hidden = true;
    draw();
  });
  new ResizeObserver(() => {
    layOutPicture();
    if (picture.flipped) scrollToStart();
    draw();
  }).observe(graph);
}

function connectTools() {
  for (const mode of MODES) onClick("mode-" + mode, () => setMode(mode));
  for (const word of HIDES) byId("hide-" + word).addEventListener("change", () => toggleHidden(word));
  onClick("flip", flip);
  onClick("lines", toggleLines);
  onClick("reset", resetZoom);
  onClick("show-threads", KEYS.c);
  onClick("show-table", KEYS.t);
  onClick("dark", toggleTheme);
  onClick("help", KEYS["?"]);
  onClick("next", () => stepMatch(1));
  onClick("previous", () => stepMatch(-1));
  byId("search").addEventListener("input", (event) => searchFor(event.target.value));
  byId("search").addEventListener("keydown", (event) => event.key === "Enter" && stepMatch(event.shiftKey ? -1 : 1));
  byId("price").addEventListener("input", (event) => {
    state.price = Math.max(0, Number(event.target.value) || 0);
    showDetails();
    writeState();
  });
  byId("clock").addEventListener("change", (event) => {
    state.clock = clocks.find((clock) => clock.key === event.target.value);
    restack();
  });
  byId("export").addEventListener("change", (event) => {
    const work = EXPORTS[event.target.value];
    event.target.value = "";
    if (work) work();
  });
}
