// Where each box goes: x and width are shares of the drawing's width, rows count from the root.

const MIN_BOX_PX = 0.3;

// Rows of boxes {view, node, x, width, row}, each row from left to right; `above` boxes are callers of
// the one that is zoomed to.
function layOut(view, zoomed, widthPx, minValue) {
  const rows = [];
  const path = view.path(zoomed);
  path.forEach((node, row) => rows.push([{ view, node, x: 0, width: 1, row, above: node !== zoomed }]));
  const scale = view.value[zoomed] > 0 ? 1 / view.value[zoomed] : 0;
  const least = Math.max(MIN_BOX_PX / widthPx, minValue * scale);
  for (let row = path.length; rows[row - 1].length > 0; ++row) {
    rows.push(layOutRow(view, rows[row - 1], row, scale, least));
  }
  rows.pop();
  return rows;
}

function layOutRow(view, parents, row, scale, least) {
  const boxes = [];
  for (const parent of parents) {
    let x = parent.x;
    for (const node of view.children(parent.node)) {
      const width = view.value[node] * scale;
      if (width >= least) boxes.push({ view, node, x, width, row, above: false });
      x += width;
    }
  }
  return boxes;
}

// Callers from the middle up, callees from the middle down.
function layOutSandwich([callers, callees], widthPx, minValue) {
  const up = layOut(callers, 0, widthPx, minValue).slice(1).reverse();
  const rows = up.concat(layOut(callees, 0, widthPx, minValue));
  rows.forEach((boxes, row) => boxes.forEach((box) => (box.row = row)));
  return rows;
}

// The box at a share of the width, or none.
function boxAt(row, share) {
  let low = 0;
  let high = row.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (row[middle].x <= share) low = middle + 1;
    else high = middle;
  }
  const box = row[low - 1];
  return box && share < box.x + box.width ? box : null;
}

const isWide = (point) => (point >= 0x1100 && point <= 0x115f) || (point >= 0x2e80 && point <= 0xa4cf) ||
  (point >= 0xac00 && point <= 0xd7a3) || (point >= 0xf900 && point <= 0xfaff) ||
  (point >= 0xff00 && point <= 0xff60) || (point >= 0x1f300 && point <= 0x1faff) ||
  (point >= 0x20000 && point <= 0x3fffd);

// As much of the text as fits into that many cells of a monospaced font.
function fitText(text, cells) {
  if (cells < 3) return "";
  let used = 0;
  let kept = "";
  let cut = "";
  for (const character of text) {
    used += isWide(character.codePointAt(0)) ? 2 : 1;
    if (used > cells) return cut + "\u2026";
    kept += character;
    if (used < cells) cut = kept;
  }
  return text;
}
