// SPDX-License-Identifier: Apache-2.0
// What leaves the page: files, the clipboard and paper, all of what is shown.

const SVG = "http://www.w3.org/2000/svg";
const SVG_WIDTH = 1200;
const SVG_CELL_PX = 7.25;
const MAX_PNG_PX = 16000;

// Root first, as stackcollapse scripts write it.
function foldedText() {
  const { stacks } = current;
  const { count } = shownSamples();
  const names = frames.text.map((text) => text.replace(/;/g, ":").replace(/\s+/g, " "));
  const lines = [];
  for (let node = 0; node < stacks.size; ++node) {
    if (count[node] === 0) continue;
    const path = [];
    for (let at = node; at > 0; at = stacks.parent[at]) path.push(names[stacks.frame[at]]);
    lines.push((path.reverse().join(";") || "[no frames]") + " " + count[node] + "\n");
  }
  return lines.sort().join("");
}

function svgElement(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function svgPicture() {
  const ink = themeInk();
  const height = pictureHeight() + 2 * ROW_PX;
  const svg = svgElement("svg", { xmlns: SVG, viewBox: `0 0 ${SVG_WIDTH} ${height}`, width: SVG_WIDTH, height,
    "font-family": "DejaVu Sans Mono, Menlo, Consolas, monospace", "font-size": 12 });
  svg.append(svgElement("rect", { width: SVG_WIDTH, height, fill: cssColor(ink.back) }),
    svgElement("text", { x: TEXT_EDGE_PX, y: 16, fill: cssColor(ink.text) }, pictureTitle()));
  picture.rows.forEach((_, line) => {
    const row = picture.rows[rowAtLine(line)];
    row.node.forEach((_, at) => svg.append(svgBox(ink, row, at, (line + 1.5) * ROW_PX)));
  });
  return svg;
}

function svgBox(ink, row, at, y) {
  const round = (number) => Math.round(number * 100) / 100;
  const x = row.x[at] * SVG_WIDTH;
  const wide = row.width[at] * SVG_WIDTH;
  const { fill, label } = lookOf(ink, row, row.node[at]);
  const group = svgElement("g", {});
  group.append(svgElement("title", {}, describe(boxOf(row, at)).join("\n")), svgElement("rect", { x: round(x), y,
    width: round(wide > 3 ? wide - 1 : wide), height: ROW_PX - 1, fill: cssColor(fill) }));
  const shown = fitText(boxText(row.view, row.node[at]), Math.floor((wide - 2 * TEXT_EDGE_PX) / SVG_CELL_PX));
  if (shown) group.append(svgElement("text", { x: round(x + TEXT_EDGE_PX), y: y + 13, fill: cssColor(label) }, shown));
  return group;
}

function pictureTitle() {
  const what = state.mode === "sandwich" ? ", callers and callees of " + frameText(state.focus) :
    state.mode === "inverted" ? ", inverted" : "";
  return `${profile.title}, ${state.clock.name}${what}: ${withThousands(current.stacks.count[0])} samples`;
}

function pngBlob() {
  const ratio = 2;
  const paper = document.createElement("canvas");
  const height = Math.min(pictureHeight(), MAX_PNG_PX / ratio);
  paper.width = SVG_WIDTH * ratio;
  paper.height = height * ratio;
  drawRows(paper.getContext("2d"), SVG_WIDTH, height, 0, ratio);
  return new Promise((done) => paper.toBlob(done, "image/png"));
}

function saveAs(name, blob) {
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function say(text) {
  byId("shown").textContent = text;
}

// navigator.clipboard is there only in secure contexts, the other way only while something is selected.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = element("textarea", text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("Copied.");
}

// Root first, a frame a line.
function stackText() {
  const box = selected.box || { view: current.view, node: current.zoomed };
  const path = box.view.path(box.node).map((node) => frameText(box.view.frame[node]));
  return (box.view.upward ? path.reverse() : path).join("\n") + "\n";
}

function nameText() {
  if (selected.box) return frameText(selected.box.view.frame[selected.box.node]);
  return frameText(state.focus >= 0 ? state.focus : current.view.frame[current.zoomed]);
}

const EXPORTS = {
  folded: () => saveAs("flame.folded", new Blob([foldedText()], { type: "text/plain" })),
  svg: () => saveAs("flame.svg", new Blob([new XMLSerializer().serializeToString(svgPicture())], { type: "image/svg+xml" })),
  png: async () => saveAs("flame.png", await pngBlob()),
  name: () => copyText(nameText()),
  stack: () => copyText(stackText()),
  table: () => copyText(tableText()),
  link: () => copyText(location.href),
};

addEventListener("beforeprint", () => byId("graph").append(svgPicture()));
addEventListener("afterprint", () => byId("graph").querySelectorAll("svg").forEach((svg) => svg.remove()));
