// SPDX-License-Identifier: Apache-2.0
// From the state to what is on the screen, in the steps that a change needs.

const current = { stacks: null, view: null, views: null, zoomed: 0, totals: null };

let pending = 0;

// The table comes after the picture: it must not hold up a zoom.
function fillTableSoon() {
  byId("table").setAttribute("aria-busy", "true");
  clearTimeout(pending);
  pending = setTimeout(() => requestAnimationFrame(() => (pending = setTimeout(fillTable, 0))), 0);
}

// Threads, hidden frames or the clock changed.
function showStacks() {
  current.stacks = buildStacks(state);
  current.totals = null;
  current.views = {};
  runSearch(current.stacks, state.query);
  fillThreads();
  showMode();
}

// Of all that is shown, by frame.
function shownTotals() {
  if (!current.totals) {
    const { selfValue: value, selfCount: count } = current.stacks;
    current.totals = functionTotals(current.stacks, { value, count }, 0);
  }
  return current.totals;
}

function hottest() {
  let best = -1;
  let most = 0;
  for (const row of shownTotals().values()) {
    if (row.self <= most || frames.owner[row.frame] === OTHER) continue;
    most = row.self;
    best = row.frame;
  }
  return best;
}

function viewOf(mode) {
  const key = mode === "sandwich" ? mode + state.focus : mode;
  if (!current.views[key]) {
    current.views[key] = mode === "graph" ? [new GraphView(current.stacks)] :
      mode === "inverted" ? [invertedView(current.stacks)] : sandwichViews(current.stacks, state.focus);
  }
  return current.views[key];
}

// Another way to look at the same stacks, or another function in the sandwich.
function showMode() {
  if (state.mode === "sandwich" && state.focus < 0) state.focus = hottest();
  if (state.mode === "sandwich" && state.focus < 0) state.mode = "graph";
  current.pair = viewOf(state.mode);
  current.view = current.pair[current.pair.length - 1];
  selected.box = null;
  showZoom();
}

const leastValue = () => (state.hide.has("small") ? current.stacks.value[0] / 100 : 0);

function layOutPicture() {
  const width = graph.clientWidth;
  picture.flipped = state.flipped;
  picture.rows = state.mode === "sandwich" ? layOutSandwich(current.pair, width, leastValue()) :
    layOut(current.view, current.zoomed, width, leastValue());
}

function showZoom() {
  performance.mark("zoom");
  current.zoomed = state.mode === "sandwich" ? 0 : current.view.find(state.zoom);
  state.zoom = current.view.path(current.zoomed).slice(1).map((node) => current.view.frame[node]);
  layOutPicture();
  sizeCanvas();
  scrollToStart();
  draw();
  keepFocus(byId("path"), showPath);
  showControls();
  fillTableSoon();
  performance.measure("zoom", "zoom");
}

// To where one starts to read: the box zoomed to, or the function between its callers and callees.
function scrollToStart() {
  graph.scrollTop = picture.flipped ? pictureHeight() : 0;
  if (state.mode !== "sandwich") return;
  const middle = picture.rows.findIndex((row) => row.view === current.view);
  graph.scrollTop = (rowAtLine(middle) + 0.5) * ROW_PX - graph.clientHeight / 2;
}

function showTheme() {
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  setPalette(dark);
  fillLegend();
}

function showEverything() {
  showTheme();
  byId("search").value = state.query;
  byId("price").value = state.price || "";
  byId("threads").hidden = !state.showThreads;
  byId("table").hidden = !state.showTable;
  showStacks();
}

function showPath() {
  const path = byId("path");
  path.replaceChildren();
  if (state.mode === "sandwich") path.append("callers and callees of");
  const nodes = current.view.path(current.zoomed);
  nodes.forEach((node, at) => {
    if (at > 0) path.append(element("span", "\u203a"));
    const step = element("button", frameText(current.view.frame[node]));
    if (at === nodes.length - 1) step.setAttribute("aria-current", "true");
    step.addEventListener("click", () => zoomTo(node));
    path.append(step);
  });
  path.scrollLeft = path.scrollWidth;
}
