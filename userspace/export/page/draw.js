// The boxes on a canvas: only the rows that are in sight.

const ROW_PX = 18;
const TEXT_EDGE_PX = 3;
const FONT = '12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace';
const canvas = byId("canvas");
const graph = byId("graph");

const picture = { rows: [], flipped: false };
const selected = { box: null };  // by keyboard or mouse

const rowAtLine = (line) => (picture.flipped ? picture.rows.length - 1 - line : line);
const pictureHeight = () => picture.rows.length * ROW_PX;
// A graph with its root at the bottom stands on the edge of the window.
const topPx = (height) => (picture.flipped ? Math.max(0, height - pictureHeight()) : 0);

function themeInk() {
  const theme = getComputedStyle(document.documentElement);
  const ink = {};
  for (const name of ["back", "mark", "text", "label"]) ink[name] = theme.getPropertyValue("--" + name);
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
  const pen = canvas.getContext("2d");
  const ratio = window.devicePixelRatio || 1;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawRows(pen, width, height, topPx(height) - graph.scrollTop);
}

// `top`: where the first line starts; lines out of sight are left out.
function drawRows(pen, width, height, top) {
  const brush = { pen, width, ink: themeInk() };
  pen.font = FONT;
  pen.textBaseline = "middle";
  brush.cellPx = pen.measureText("0").width;
  pen.fillStyle = brush.ink.back;
  pen.fillRect(0, 0, width, height);
  const first = Math.max(0, Math.floor(-top / ROW_PX));
  const last = Math.min(picture.rows.length - 1, Math.ceil((height - top) / ROW_PX));
  for (let line = first; line <= last; ++line)
    for (const box of picture.rows[rowAtLine(line)]) drawBox(brush, box, top + line * ROW_PX);
}

function drawBox(brush, box, y) {
  const { pen, width, ink } = brush;
  const frame = box.view.frame[box.node];
  const x = box.x * width;
  const wide = box.width * width;
  const matched = search.frames && search.frames.has(frame);
  pen.globalAlpha = box.above ? 0.5 : search.frames && !matched ? 0.45 : 1;
  pen.fillStyle = matched ? ink.mark : frameColor(frame);
  pen.fillRect(x, y, wide > 3 ? wide - 1 : wide, ROW_PX - 1);
  pen.globalAlpha = 1;
  const cells = Math.floor((wide - 2 * TEXT_EDGE_PX) / brush.cellPx);
  if (cells >= 3) {
    pen.fillStyle = box.above || (search.frames && !matched) ? ink.text : matched ? "#fff" : ink.label;
    pen.fillText(fitText(frameText(frame), cells), x + TEXT_EDGE_PX, y + ROW_PX / 2);
  }
  drawOutline(brush, box, frame, x, y, wide);
}

function isSelected(box) {
  return Boolean(selected.box) && box.view === selected.box.view && box.node === selected.box.node;
}

function drawOutline({ pen, ink }, box, frame, x, y, wide) {
  const isChosen = isSelected(box);
  if (!isChosen && frame !== state.focus) return;
  pen.strokeStyle = ink.text;
  pen.lineWidth = isChosen ? 2 : 1;
  pen.strokeRect(x + 1, y + 1, Math.max(1, wide - 3), ROW_PX - 3);
}

function boxUnder(event) {
  const area = canvas.getBoundingClientRect();
  const y = event.clientY - area.top - topPx(area.height) + graph.scrollTop;
  const row = picture.rows[rowAtLine(Math.floor(y / ROW_PX))];
  return row ? boxAt(row, (event.clientX - area.left) / area.width) : null;
}

function scrollToBox(box) {
  const y = rowAtLine(box.row) * ROW_PX;
  if (y < graph.scrollTop) graph.scrollTop = y;
  if (y + ROW_PX > graph.scrollTop + graph.clientHeight) graph.scrollTop = y + ROW_PX - graph.clientHeight;
}
