// SPDX-License-Identifier: Apache-2.0
// What is said of a box: beside the pointer, and below the picture for the box that is selected.

function costText(value) {
  if (!(state.price > 0) || !(profile.cpu_ns > 0) || !(profile.duration_ns > 0)) return "";
  const perHour = cpuSeconds(value) / (profile.duration_ns / 1e9) * state.price;
  return "$" + (perHour >= 1 ? perHour.toFixed(2) : perHour.toPrecision(2)) + "/h";
}

// "75.00 %, 1.23 CPU-s, 0.41 cores, 122 samples"
function amountText(value, count) {
  const parts = [percentText(value, current.stacks.value[0])];
  if (profile.cpu_ns > 0) parts.push(cpuSeconds(value).toFixed(2) + " CPU-s");
  if (profile.cpu_ns > 0 && profile.duration_ns > 0)
    parts.push((cpuSeconds(value) / (profile.duration_ns / 1e9)).toFixed(2) + " cores");
  parts.push(withThousands(count) + (count === 1 ? " sample" : " samples"));
  return parts.concat(costText(value) || []).join(", ");
}

function selfOfBox({ view, node }) {
  if (view.upward) return null;
  const { selfValue, selfCount } = view.stacks;
  const starts = view.starts(node);
  return [sum(starts.map((at) => selfValue[at])), sum(starts.map((at) => selfCount[at]))];
}

// Lines for a box; the first is its name.
function describe(box) {
  const { view, node } = box;
  const frame = view.frame[node];
  const lines = [frameText(frame)];
  const source = sourceText(frame);
  if (source) lines.push(source);
  lines.push("total " + amountText(view.value[node], view.count[node]));
  const self = selfOfBox(box);
  if (self) lines.push("self " + amountText(...self));
  if (isDiff) lines.push(describeChange(view, node));
  const row = shownTotals().get(frame);
  if (row && frame > 0 && (row.total > view.value[node] || !self)) {
    lines.push(`everywhere: total ${percentText(row.total, current.stacks.value[0])}, ` +
      `self ${percentText(row.self, current.stacks.value[0])}`);
  }
  return lines;
}

function describeChange(view, node) {
  const change = changeOf(view.value[node], view.other[node]);
  const seconds = profile.cpu_ns > 0 ? `, ${(change < 0 ? "\u2212" : "+") + cpuSeconds(Math.abs(change)).toFixed(2)} CPU-s` : "";
  const other = state.clock === clocks[0] ? "before" : "after";
  return `change ${changeText(change)}${seconds}; ${other} ${percentText(view.other[node], clocks[0].whole)}`;
}

function showTip(event) {
  const tip = byId("tip");
  const box = boxUnder(event);
  tip.hidden = !box;
  canvas.style.cursor = box ? "pointer" : "default";
  if (!box) return;
  tip.replaceChildren(...describe(box).map((line, at) => element("div", line, at === 1 ? "soft" : "")));
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + "px";
  const below = event.clientY + 18;
  const fits = below + tip.offsetHeight < innerHeight - 4;
  tip.style.top = Math.max(4, fits ? below : event.clientY - tip.offsetHeight - 10) + "px";
}

// The footer, which screen readers follow.
function showDetails() {
  const box = selected.box;
  const details = byId("details");
  const lines = box ? describe(box) : [];
  if (box) canvas.setAttribute("aria-label", "Flame graph: " + lines.join("; "));
  else canvas.setAttribute("aria-label", "Flame graph. Arrow keys move from box to box, Enter zooms, T has the same as a table.");
  details.replaceChildren(...lines.map((line, at) => element(at === 0 ? "b" : "span", line)));
  if (!box) details.append(element("span", "Click a box to zoom, double click for the whole; ? for the keys.", "soft"));
}

function select(box) {
  selected.box = box;
  const row = picture.rows.findIndex((boxes) => indexOfSelected(boxes) >= 0);
  if (row >= 0) scrollToRow(row);
  draw();
  showDetails();
}

function fillLegend() {
  if (isDiff) return fillDiffLegend();
  const used = new Set(frames.owner.filter((_, frame) => frame > 0 && frame < realFrames));
  const legend = byId("legend");
  legend.replaceChildren();
  KINDS.forEach((kind, owner) => {
    if (!used.has(owner)) return;
    legend.append(legendItem(kindColor(kind), kind[0]));
  });
}

function legendItem(color, text) {
  const item = element("span");
  const key = element("i", "", "key");
  key.style.background = color;
  item.append(key, element("span", text));
  return item;
}

function fillDiffLegend() {
  byId("legend").replaceChildren(legendItem(cssColor(GREW), "+ grew"), legendItem(cssColor(SHRANK), "\u2212 shrank"),
    element("span", `${profile.before} \u2192 after, ${profile.unit}; \u201cbefore\u201d shows what is gone`));
}
