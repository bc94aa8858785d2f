// SPDX-License-Identifier: Apache-2.0
// Where each box goes: x and width are shares of the drawing's width, rows count from the root.

const MIN_BOX_PX = 0.3;

// A row of boxes from left to right, as columns: there are many. `above`: the boxes are callers of the
// one that is zoomed to.
class Row {
  constructor(view, above) {
    this.view = view;
    this.above = above;
    this.node = [];
    this.x = [];
    this.width = [];
  }

  add(node, x, width) {
    this.node.push(node);
    this.x.push(x);
    this.width.push(width);
  }

  // The index of the box at a share of the width, -1 for none.
  at(share) {
    let low = 0;
    let high = this.node.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.x[middle] <= share) low = middle + 1;
      else high = middle;
    }
    return low > 0 && share < this.x[low - 1] + this.width[low - 1] ? low - 1 : -1;
  }
}

// Rows from the root on.
function layOut(view, zoomed, widthPx, minValue) {
  const rows = view.path(zoomed).map((node) => {
    const row = new Row(view, node !== zoomed);
    row.add(node, 0, 1);
    return row;
  });
  const scale = view.value[zoomed] > 0 ? 1 / view.value[zoomed] : 0;
  const least = Math.max(MIN_BOX_PX / widthPx, minValue * scale);
  for (let last = rows[rows.length - 1]; last.node.length > 0;) {
    rows.push(last = view instanceof GraphView ? layOutStacks(view, last, scale, least) : layOutRow(view, last, scale, least));
  }
  rows.pop();
  return rows;
}

function layOutRow(view, callers, scale, least) {
  const row = new Row(view, false);
  callers.node.forEach((caller, at) => {
    let x = callers.x[at];
    for (const node of view.children(caller)) {
      const width = view.value[node] * scale;
      if (width >= least) row.add(node, x, width);
      x += width;
    }
  });
  return row;
}

// The same, without a list of each node's children.
function layOutStacks(view, callers, scale, least) {
  const { first, next, value } = view.stacks;
  const row = new Row(view, false);
  for (let at = 0; at < callers.node.length; ++at) {
    let x = callers.x[at];
    for (let node = first[callers.node[at]]; node >= 0; node = next[node]) {
      const width = value[node] * scale;
      if (width >= least) row.add(node, x, width);
      x += width;
    }
  }
  return row;
}

// Callers from the middle up, callees from the middle down.
function layOutSandwich([callers, callees], widthPx, minValue) {
  const up = layOut(callers, 0, widthPx, minValue).slice(1).reverse();
  return up.concat(layOut(callees, 0, widthPx, minValue));
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
