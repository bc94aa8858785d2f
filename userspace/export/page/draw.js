// SPDX-License-Identifier: Apache-2.0
// The boxes on a canvas: only the rows that are in sight.

const ROW_PX = 18;
const TEXT_EDGE_PX = 3;
const FONT = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const canvas = byId("canvas");
const graph = byId("graph");

const picture = { rows: [], flipped: false };
const selected = { box: null };  // {view, node}, by keyboard or mouse

const rowAtLine = (line) => (picture.flipped ? picture.rows.length - 1 - line : line);
const pictureHeight = () => picture.rows.length * ROW_PX;
// A graph with its root at the bottom stands on the edge of the window.
const topPx = (height) => (picture.flipped ? Math.max(0, height - pictureHeight()) : 0);

// The theme's colors, as 0xrrggbb.
function themeInk() {
  const theme = getComputedStyle(document.documentElement);
  const ink = {};
  for (const name of ["back", "mark", "text", "label"])
    ink[name] = parseInt(theme.getPropertyValue("--" + name).trim().slice(1), 16);
  return ink;
}

// The size in CSS pixels.
function sizeCanvas() {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [graph.clientWidth, graph.clientHeight];
  byId("space").style.height = Math.max(height, pictureHeight()) + "px";
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.width = width + "px";
    canvas.style.height = height + "px";
  }
  return [width, height];
}

function draw() {
  const [width, height] = sizeCanvas();
  drawRows(canvas.getContext("2d"), width, height, topPx(height) - graph.scrollTop, window.devicePixelRatio || 1);
}

// `top`: where the first line starts; lines out of sight are left out. `ratio`: pixels of the canvas in one of
// ours.
function drawRows(pen, width, height, top, ratio) {
  const brush = { pen, width, ratio, ink: themeInk() };
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = FONT;
  pen.textBaseline = "middle";
  brush.cellPx = pen.measureText("0").width;
  brush.strip = pen.createImageData(Math.round(width * ratio), Math.round((ROW_PX - 1) * ratio));
  brush.pixels = new Uint32Array(brush.strip.data.buffer);
  pen.fillStyle = cssColor(brush.ink.back);
  pen.fillRect(0, 0, width, height);
  const first = Math.max(0, Math.floor(-top / ROW_PX));
  const last = Math.min(picture.rows.length - 1, Math.ceil((height - top) / ROW_PX));
  for (let line = first; line <= last; ++line) {
    const row = picture.rows[rowAtLine(line)];
    drawBoxes(brush, row, top + line * ROW_PX);
    drawTexts(brush, row, top + line * ROW_PX);
  }
}

// Pixels that a canvas keeps in the order red, green, blue, alpha.
const pixelOf = (rgb) => (0xff000000 | (rgb & 0xff) << 16 | rgb & 0xff00 | rgb >> 16) >>> 0;

// By pixels: ten times as fast as a rectangle for each of tens of thousands of boxes.
function drawBoxes(brush, row, y) {
  const { pixels, strip, ratio, pen, ink } = brush;
  const wide = strip.width;
  const line = pixels.subarray(0, wide).fill(pixelOf(ink.back));
  for (let at = 0; at < row.node.length; ++at) {
    const start = Math.round(row.x[at] * wide);
    const end = Math.max(start + 1, Math.round((row.x[at] + row.width[at]) * wide));
    const gap = end - start > 3 * ratio ? Math.ceil(ratio / 2) : 0;
    const color = pixelOf(lookOf(ink, row, row.node[at]).fill);
    for (let pixel = start; pixel < end - gap; ++pixel) line[pixel] = color;
  }
  for (let below = 1; below < strip.height; ++below) pixels.copyWithin(below * wide, 0, wide);
  pen.putImageData(strip, 0, Math.round(y * ratio));
}

function drawTexts(brush, row, y) {
  const { width, pen, cellPx, ink } = brush;
  const { frame } = row.view;
  for (let at = 0; at < row.node.length; ++at) {
    const wide = row.width[at] * width;
    const shown = frame[row.node[at]];
    if (shown === state.focus) drawOutline(brush, row.x[at] * width, y, wide, 1);
    const cells = Math.floor((wide - 2 * TEXT_EDGE_PX) / cellPx);
    if (cells < 3) continue;
    pen.fillStyle = cssColor(lookOf(ink, row, row.node[at]).label);
    pen.fillText(fitText(boxText(row.view, row.node[at]), cells), row.x[at] * width + TEXT_EDGE_PX, y + ROW_PX / 2);
  }
  const chosen = indexOfSelected(row);
  if (chosen >= 0) drawOutline(brush, row.x[chosen] * width, y, row.width[chosen] * width, 2);
}

const mix = (rgb, back, share) => [16, 8, 0].reduce((mixed, shift) => mixed |
  Math.round((rgb >> shift & 0xff) * share + (back >> shift & 0xff) * (1 - share)) << shift, 0);

// For eyes that don't tell red from green, too; the sign is in the text.
const GREW = 0xe8735a;
const SHRANK = 0x6aa7de;
const SAME = { light: 0xdedede, dark: 0x9c9c9c };

function changeColor(view, node) {
  const change = changeOf(view.value[node], view.other[node]);
  const most = Math.max(view.value[node], view.other[node]);
  const same = palette.dark ? SAME.dark : SAME.light;
  return most > 0 ? mix(change > 0 ? GREW : SHRANK, same, Math.sqrt(Math.abs(change) / most)) : same;
}

// In percent of the later profile: "+1.20 %".
function changeText(change) {
  const share = clocks[0].whole > 0 ? 100 * change / clocks[0].whole : 0;
  const text = Math.abs(share).toFixed(2) + " %";
  return text === "0.00 %" ? "\u00b1" + text : (share < 0 ? "\u2212" : "+") + text;
}

function boxText(view, node) {
  const name = frameText(view.frame[node]);
  return isDiff ? changeText(changeOf(view.value[node], view.other[node])) + " " + name : name;
}

// Colors of a box: callers of the one zoomed to and what does not match a search step back.
const look = { fill: 0, label: 0 };

function lookOf(ink, row, node) {
  const frame = row.view.frame[node];
  const matched = search.frames !== null && search.frames.has(frame);
  const faint = row.above || (search.frames !== null && !matched);
  look.fill = matched ? ink.mark : isDiff ? changeColor(row.view, node) : frameColor(frame);
  look.label = faint ? ink.text : matched ? 0xffffff : ink.label;
  if (faint) look.fill = mix(look.fill, ink.back, row.above ? 0.5 : 0.4);
  return look;
}

function drawOutline({ pen, ink }, x, y, wide, linePx) {
  pen.strokeStyle = cssColor(ink.text);
  pen.lineWidth = linePx;
  pen.strokeRect(x + 1, y + 1, Math.max(1, wide - 3), ROW_PX - 3);
}

const boxOf = (row, at) => (row && at >= 0 ? { view: row.view, node: row.node[at] } : null);

function indexOfSelected(row) {
  return selected.box && row.view === selected.box.view ? row.node.indexOf(selected.box.node) : -1;
}

function boxUnder(event) {
  const area = canvas.getBoundingClientRect();
  const y = event.clientY - area.top - topPx(area.height) + graph.scrollTop;
  const row = picture.rows[rowAtLine(Math.floor(y / ROW_PX))];
  return row ? boxOf(row, row.at((event.clientX - area.left) / area.width)) : null;
}

function scrollToRow(row) {
  const y = rowAtLine(row) * ROW_PX;
  if (y < graph.scrollTop) graph.scrollTop = y;
  if (y + ROW_PX > graph.scrollTop + graph.clientHeight) graph.scrollTop = y + ROW_PX - graph.clientHeight;
}
