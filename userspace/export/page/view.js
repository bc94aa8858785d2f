// SPDX-License-Identifier: Apache-2.0
// A tree to draw, made from the stacks while it is walked: only what gets wide enough to be seen is
// ever expanded. Each node holds where it is in the stacks (`at`) and, in trees that go from what ran
// to its callers, with how much and from where.

class View {
  // `upward`: from callee to caller.
  constructor(stacks, upward, rootFrame) {
    this.stacks = stacks;
    this.upward = upward;
    this.frame = [rootFrame];
    this.parent = [-1];
    this.value = [0];
    this.count = [0];
    this.other = [0];
    this.items = [{ at: [], leaf: [], value: [], count: [], other: [] }];
    this.kids = [null];
  }

  addItem(node, at, leaf, value, count, other) {
    const item = this.items[node];
    item.at.push(at);
    item.leaf.push(leaf);
    item.value.push(value);
    item.count.push(count);
    item.other.push(other);
    this.value[node] += value;
    this.count[node] += count;
    this.other[node] += other;
  }

  add(parent, frame) {
    const node = this.frame.push(frame) - 1;
    this.parent.push(parent);
    this.value.push(0);
    this.count.push(0);
    this.other.push(0);
    this.items.push({ at: [], leaf: [], value: [], count: [], other: [] });
    this.kids.push(null);
    return node;
  }

  children(node) {
    if (!this.kids[node]) {
      const kids = new Map();
      if (this.upward) this.stepUp(node, kids);
      else this.stepDown(node, kids);
      this.kids[node] = this.sorted([...kids.values()]);
    }
    return this.kids[node];
  }

  kid(kids, parent, frame) {
    let node = kids.get(frame);
    if (node === undefined) kids.set(frame, node = this.add(parent, frame));
    return node;
  }

  stepDown(node, kids) {
    const { first, next, frame, value, count, other } = this.stacks;
    for (const at of this.items[node].at) {
      for (let below = first[at]; below >= 0; below = next[below]) {
        this.addItem(this.kid(kids, node, frame[below]), below, below, value[below], count[below],
          other[below]);
      }
    }
  }

  stepUp(node, kids) {
    const { at, leaf, value, count, other } = this.items[node];
    for (let i = 0; i < at.length; ++i) {
      const above = this.stacks.parent[at[i]];
      if (above > 0)
        this.addItem(this.kid(kids, node, this.stacks.frame[above]), above, leaf[i], value[i], count[i], other[i]);
    }
  }

  sorted(nodes) {
    return nodes.sort(this.upward ? (a, b) => this.value[b] - this.value[a] :
      (a, b) => this.frame[a] - this.frame[b]);
  }

  // The nodes of the stacks that a node of a tree of callees stands for.
  starts(node) {
    return this.items[node].at;
  }

  path(node) {
    const path = [];
    for (; node >= 0; node = this.parent[node]) path.push(node);
    return path.reverse();
  }

  // The node below the root that the frames lead to, as far as they do.
  find(path) {
    let node = 0;
    for (const frame of path) {
      const kid = this.children(node).find((child) => this.frame[child] === frame);
      if (kid === undefined) break;
      node = kid;
    }
    return node;
  }
}

// The stacks as they are: nodes have the same numbers in both.
class GraphView extends View {
  constructor(stacks) {
    super(stacks, false, 0);
    this.frame = stacks.frame;
    this.parent = stacks.parent;
    this.value = stacks.value;
    this.count = stacks.count;
    this.other = stacks.other;
  }

  children(node) {
    const { first, next } = this.stacks;
    const kids = [];
    for (let below = first[node]; below >= 0; below = next[below]) kids.push(below);
    return kids;
  }

  starts(node) {
    return [node];
  }
}

function viewOfNodes(stacks, nodes, upward, rootFrame) {
  const view = new View(stacks, upward, rootFrame);
  for (const node of nodes) view.addItem(0, node, node, stacks.value[node], stacks.count[node], stacks.other[node]);
  return view;
}

function invertedView(stacks) {
  const view = new View(stacks, true, 0);
  const kids = new Map();
  for (let node = 0; node < stacks.size; ++node) {
    const amounts = [stacks.selfValue[node], stacks.selfCount[node], stacks.selfOther[node]];
    if (amounts[0] + amounts[2] === 0) continue;
    view.addItem(0, node, node, ...amounts);
    if (node > 0) view.addItem(view.kid(kids, 0, stacks.frame[node]), node, node, ...amounts);
  }
  view.kids[0] = view.sorted([...kids.values()]);
  return view;
}

function sandwichViews(stacks, focus) {
  const nodes = outermost(stacks, (frame) => frame === focus);
  return [viewOfNodes(stacks, nodes, true, focus), viewOfNodes(stacks, nodes, false, focus)];
}
