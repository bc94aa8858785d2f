// SPDX-License-Identifier: Apache-2.0
// Self and total of each function, recursion counted once.

// Rows {frame, self, total, selfCount, totalCount} by frame, of samples given by the stacks' nodes where
// they end; only of the functions from the node `start` on.
function functionTotals(stacks, { value: selfValue, count: selfCount }, start) {
  const value = Float64Array.from(selfValue);
  const count = Float64Array.from(selfCount);
  for (let node = stacks.size - 1; node > 0; --node) {
    value[stacks.parent[node]] += value[node];
    count[stacks.parent[node]] += count[node];
  }
  const rows = new Map();
  const open = new Int32Array(frames.text.length);  // how often a frame is on the path
  const enter = (node) => {
    const frame = stacks.frame[node];
    let row = rows.get(frame);
    if (!row) rows.set(frame, row = { frame, self: 0, total: 0, selfCount: 0, totalCount: 0 });
    row.self += selfValue[node];
    row.selfCount += selfCount[node];
    if (open[frame]++ > 0) return;
    row.total += value[node];
    row.totalCount += count[node];
  };
  walk(stacks, start, (node) => value[node] > 0, enter, (node) => --open[stacks.frame[node]]);
  rows.delete(0);
  return rows;
}

// The same of two profiles: rows have `selfChange` and `totalChange` as well, later less earlier.
function functionChanges(stacks, picked, start) {
  const rows = functionTotals(stacks, picked, start);
  const others = functionTotals(stacks, { value: picked.other, count: picked.other }, start);
  for (const frame of others.keys())
    if (!rows.has(frame)) rows.set(frame, { frame, self: 0, total: 0, selfCount: 0, totalCount: 0 });
  for (const row of rows.values()) {
    const { self = 0, total = 0 } = others.get(row.frame) || {};
    row.selfChange = changeOf(row.self, self);
    row.totalChange = changeOf(row.total, total);
  }
  return rows;
}

const changeOf = (value, other) => (state.clock === clocks[0] ? value - other : other - value);

function walk(stacks, start, wanted, enter, leave) {
  const pending = [start];
  while (pending.length) {
    const node = pending.pop();
    if (node < 0) {
      leave(~node);
      continue;
    }
    enter(node);
    pending.push(~node);
    for (let below = stacks.first[node]; below >= 0; below = stacks.next[below])
      if (wanted(below)) pending.push(below);
  }
}

const noSamples = ({ size }) => ({ value: new Float64Array(size), count: new Float64Array(size), other: new Float64Array(size) });

function addSample(picked, at, value, count, other) {
  picked.value[at] += value;
  picked.count[at] += count;
  picked.other[at] += other;
}

const pickSelf = (picked, stacks, at) =>
  addSample(picked, at, stacks.selfValue[at], stacks.selfCount[at], stacks.selfOther[at]);

// The samples below a box, as self values and counts of the stacks' nodes.
function samplesOfBox(view, node) {
  const { stacks } = view;
  const picked = noSamples(stacks);
  if (view.upward) {
    const { leaf, value, count, other } = view.items[node];
    leaf.forEach((at, i) => addSample(picked, at, value[i], count[i], other[i]));
    return picked;
  }
  for (const start of view.starts(node)) walk(stacks, start, () => true, (at) => pickSelf(picked, stacks, at), () => {});
  return picked;
}

// The samples that have the function anywhere in their stack.
function samplesWith(stacks, focus) {
  const inside = new Uint8Array(stacks.size);
  const picked = noSamples(stacks);
  for (let node = 1; node < stacks.size; ++node) {
    inside[node] = inside[stacks.parent[node]] || stacks.frame[node] === focus ? 1 : 0;
    if (inside[node]) pickSelf(picked, stacks, node);
  }
  return picked;
}
