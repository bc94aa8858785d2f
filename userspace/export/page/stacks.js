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
    this.known = new Map();
    this.width = frames.text.length;
  }

  child(parent, frame) {
    const key = parent * this.width + frame;
    const found = this.known.get(key);
    if (found !== undefined) return found;
    const made = this.parent.push(parent) - 1;
    this.frame.push(frame);
    this.selfValue.push(0);
    this.selfCount.push(0);
    this.known.set(key, made);
    return made;
  }

  finish() {
    this.known = null;
    this.size = this.parent.length;
    this.value = Float64Array.from(this.selfValue);
    this.count = Float64Array.from(this.selfCount);
    this.first = new Int32Array(this.size).fill(-1);
    this.next = new Int32Array(this.size).fill(-1);
    for (let node = this.size - 1; node > 0; --node) {
      const parent = this.parent[node];
      this.value[parent] += this.value[node];
      this.count[parent] += this.count[node];
      this.next[node] = this.first[parent];
      this.first[parent] = node;
    }
    return this;
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
// below the nodes of processes and groups.
function buildStacks({ off, split, hide, clock }) {
  const stacks = new Stacks();
  const hidden = frames.text.map((_, frame) => hide.size > 0 && isHidden(frame, hide));
  const { parent, frame } = profile.nodes;
  const { thread, node } = samples;
  let places = new Map([[0, 0]]);  // node of the profile -> node of the stacks
  const stepDown = (at, below, owner) => {
    if (!hidden[frame[below]]) at = stacks.child(at, frame[below]);
    return split && depths[below] === profile.levels ? stacks.child(at, realFrames + owner) : at;
  };
  const place = (wanted, owner) => {
    const path = [];
    while (!places.has(wanted)) {
      path.push(wanted);
      wanted = parent[wanted];
    }
    let at = places.get(wanted);
    while (path.length) {
      const below = path.pop();
      places.set(below, at = stepDown(at, below, owner));
    }
    return at;
  };
  for (let i = 0; i < node.length; ++i) {
    if (off.has(thread[i]) || clock.counts[i] === 0) continue;
    if (split && (i === 0 || thread[i] !== thread[i - 1]))
      places = new Map([[0, profile.levels === 0 ? stacks.child(0, realFrames + thread[i]) : 0]]);
    const at = place(node[i], thread[i]);
    stacks.selfValue[at] += clock.values[i];
    stacks.selfCount[at] += clock.counts[i];
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
