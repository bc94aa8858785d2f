// SPDX-License-Identifier: Apache-2.0
// The stacks of the threads that are shown, without hidden frames, as one tree in arrays: a caller
// comes before its callees, node 0 is the root.

const RUNTIME = /^(<module>|_bootstrap|_bootstrap_inner|Thread\.(_bootstrap|_bootstrap_inner|run)|_run_code|_run_module_as_main|_start|__libc_start_\w+|main(?= \[)|start_thread|__?clone3?|clone3?|ret_from_fork\w*)( |$)/;

const depths = [];
profile.nodes.parent.forEach((parent, node) => depths.push(node === 0 ? 0 : depths[parent] + 1));

class Stacks {
  constructor() {
    this.parent = [-1];
    this.frame = [0];
    this.selfValue = [0];
    this.selfCount = [0];
    this.selfOther = [0];
    this.known = new Map();
  }

  add(parent, frame) {
    this.frame.push(frame);
    this.selfValue.push(0);
    this.selfCount.push(0);
    this.selfOther.push(0);
    return this.parent.push(parent) - 1;
  }

  child(parent, frame) {
    const key = parent * frames.text.length + frame;
    let node = this.known.get(key);
    if (node === undefined) this.known.set(key, node = this.add(parent, frame));
    return node;
  }

  finish() {
    this.known = null;
    this.size = this.parent.length;
    this.value = Float64Array.from(this.selfValue);
    this.count = Float64Array.from(this.selfCount);
    this.other = Float64Array.from(this.selfOther);
    for (let node = this.size - 1; node > 0; --node) {
      this.value[this.parent[node]] += this.value[node];
      this.count[this.parent[node]] += this.count[node];
      this.other[this.parent[node]] += this.other[node];
    }
    this.link();
    return this;
  }

  // `first` and `next`: a node's callees in the order of their names, -1 at the end.
  link() {
    this.first = new Int32Array(this.size).fill(-1);
    this.next = new Int32Array(this.size).fill(-1);
    const order = this.byFrame();
    for (let at = this.size - 1; at >= 0; --at) {
      const node = order[at];
      if (node === 0 || this.value[node] + this.other[node] === 0) continue;
      this.next[node] = this.first[this.parent[node]];
      this.first[this.parent[node]] = node;
    }
  }

  byFrame() {
    const starts = new Int32Array(frames.text.length + 1);
    for (const frame of this.frame) ++starts[frame + 1];
    for (let frame = 0; frame < frames.text.length; ++frame) starts[frame + 1] += starts[frame];
    const order = new Int32Array(this.size);
    this.frame.forEach((frame, node) => (order[starts[frame]++] = node));
    return order;
  }
}

function isHidden(frame, hide) {
  const owner = frames.owner[frame];
  if (owner === OTHER) return false;
  if (hide.has("library") && owner !== APP) return true;
  return hide.has("runtime") &&
    (owner === INTERPRETER || frameFile(frame).startsWith("<frozen ") || RUNTIME.test(frameText(frame)));
}

// `off`: threads that are left out; `split`: each thread's stacks below a node of its own, which stands
// below the nodes of processes and groups; `lines`: a function's lines are told apart.
function buildStacks({ off, split, lines, hide, clock }) {
  const stacks = new Stacks();
  if (!lines) functionOf(0);  // there are all frames now
  const hidden = frames.text.map((_, frame) => hide.size > 0 && isHidden(frame, hide));
  const isPlain = lines && !hidden.includes(true) && !split;  // nodes stay apart
  const { parent, frame } = profile.nodes;
  const { thread, node } = samples;
  const places = new Int32Array(parent.length).fill(-1);  // node of the profile -> node of the stacks
  const placed = [0];  // those that have one
  const stepDown = (at, below, owner) => {
    if (isPlain) return stacks.add(at, frame[below]);
    if (!hidden[frame[below]]) at = stacks.child(at, lines ? frame[below] : functionOf(frame[below]));
    return split && depths[below] === profile.levels ? stacks.child(at, realFrames + owner) : at;
  };
  const place = (wanted, owner) => {
    const path = [];
    for (; places[wanted] < 0; wanted = parent[wanted]) path.push(wanted);
    let at = places[wanted];
    while (path.length) {
      const below = path.pop();
      placed.push(below);
      places[below] = at = stepDown(at, below, owner);
    }
    return at;
  };
  const startThread = (owner) => {
    while (placed.length) places[placed.pop()] = -1;
    places[0] = profile.levels === 0 ? stacks.child(0, realFrames + owner) : 0;
  };
  places[0] = 0;
  for (let i = 0; i < node.length; ++i) {
    const other = clock.others ? clock.others[i] : 0;
    if (off.has(thread[i]) || clock.counts[i] + other === 0) continue;
    if (split && (i === 0 || thread[i] !== thread[i - 1])) startThread(thread[i]);
    const at = place(node[i], thread[i]);
    stacks.selfValue[at] += clock.values[i];
    stacks.selfCount[at] += clock.counts[i];
    stacks.selfOther[at] += other;
  }
  return stacks.finish();
}

// Nodes of the frames without a caller among them: where recursion is counted once.
function outermost(stacks, wanted) {
  const found = [];
  const inside = new Uint8Array(stacks.size);
  for (let node = 1; node < stacks.size; ++node) {
    const above = inside[stacks.parent[node]];
    const here = wanted(stacks.frame[node]);
    if (here && !above) found.push(node);
    inside[node] = above || here ? 1 : 0;
  }
  return found;
}
