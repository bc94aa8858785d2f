// SPDX-License-Identifier: Apache-2.0
// Functions that match the search, and the share of samples that have one anywhere in their stack.

const search = { frames: null, value: 0, order: [], at: -1 };

// What tells whether a frame matches, null for no search. Throws for a wrong expression.
function matcher(query) {
  if (!query) return null;
  const expression = /^\/(.+)\/([imsu]*)$/.exec(query);
  if (expression) {
    const pattern = new RegExp(expression[1], expression[2]);
    return (frame) => pattern.test(frameText(frame));
  }
  const line = /^(\S*\.\w+):(\d+)$/.exec(query);
  if (line) return (frame) => isAt(frame, line[1], Number(line[2]));
  const text = query.toLowerCase();
  return (frame) => frameText(frame).toLowerCase().includes(text);
}

function isAt(frame, file, line) {
  const path = frameFile(frame);
  const has = frames.lines[frame] ? frames.lines[frame].has(line) : frames.line[frame] === line;
  return has && (path === file || path.endsWith("/" + file));
}

function runSearch(stacks, query) {
  const input = byId("search");
  let matches = null;
  try {
    matches = matcher(query);
    input.classList.remove("wrong");
  } catch {
    input.classList.add("wrong");
  }
  search.frames = matches && new Set(frames.text.map((_, frame) => frame).filter((frame) => frame > 0 && matches(frame)));
  search.value = search.frames ? sum(outermost(stacks, (frame) => search.frames.has(frame)).map((node) => stacks.value[node])) : 0;
  search.order = [];
  search.at = -1;
  byId("matched").textContent = search.frames ? percentText(search.value, stacks.value[0]) : "";
}

// Matching boxes without a matching box nearer to the root, the widest first.
function orderMatches() {
  const found = [];
  const isMatch = (view, node) => search.frames.has(view.frame[node]);
  const isOutermost = (view, node) => !view.path(view.parent[node]).some((caller) => isMatch(view, caller));
  for (const { view, node, width } of picture.rows) {
    node.forEach((box, at) => {
      if (isMatch(view, box) && isOutermost(view, box)) found.push({ view, node: box, width: width[at] });
    });
  }
  search.order = found.sort((a, b) => b.width - a.width);
}

function stepMatch(by) {
  if (search.frames) orderMatches();
  const many = search.order.length;
  if (many === 0) return;
  search.at = (search.at + by + many) % many;
  if (search.at < 0) search.at += many;
  select(search.order[search.at]);
  byId("matched").textContent = `${percentText(search.value, current.stacks.value[0])} · ${search.at + 1}/${many}`;
}
