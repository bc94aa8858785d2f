// SPDX-License-Identifier: Apache-2.0
// The list of processes and threads: what each used, and which are shown.

const THREADS_AT_ONCE = 100;
const threadList = { most: THREADS_AT_ONCE };

// [{thread, value}], those that used most first.
function threadValues() {
  const sums = profile.threads.map((_, thread) => ({ thread, value: 0 }));
  samples.thread.forEach((thread, i) => (sums[thread].value += state.clock.values[i]));
  return sums.sort((a, b) => b.value - a.value);
}

function fillThreads() {
  keepFocus(byId("threads"), listThreads);
}

function listThreads() {
  const list = byId("threads");
  const rows = threadValues();
  const whole = sum(rows.map((row) => row.value));
  list.replaceChildren(threadTools());
  const byProcess = new Map();
  for (const row of rows) {
    const process = profile.threads[row.thread].process;
    if (!byProcess.has(process)) byProcess.set(process, []);
    byProcess.get(process).push(row);
  }
  const total = (group) => sum(group[1].map((row) => row.value));
  let left = threadList.most;
  for (const [process, group] of [...byProcess].sort((a, b) => total(b) - total(a))) {
    if (left <= 0) break;
    if (byProcess.size > 1) list.append(processRow(process, group, whole));
    for (const row of group.slice(0, left)) list.append(threadRow(row, whole));
    left -= group.length;
  }
  if (rows.length > threadList.most) list.append(moreThreads(rows.length - threadList.most));
}

function threadTools() {
  const tools = element("div", undefined, "tools");
  tools.append(element("b", profile.threads.length === 1 ? "1 thread" : withThousands(profile.threads.length) + " threads"));
  const all = element("button", "All");
  all.disabled = state.off.size === 0;
  all.addEventListener("click", () => showThreads(new Set()));
  const split = checkBox("apart", state.split, () => {
    state.split = !state.split;
    restack();
  });
  split.title = "Each thread's stacks below a box of its own, or all threads merged";
  tools.append(all, split);
  return tools;
}

function checkBox(text, checked, change) {
  const label = element("label");
  const box = element("input");
  box.type = "checkbox";
  box.checked = checked;
  box.addEventListener("change", change);
  label.append(box, " " + text);
  return label;
}

function moreThreads(count) {
  const more = element("button", withThousands(count) + " more");
  more.addEventListener("click", () => {
    threadList.most *= 10;
    fillThreads();
  });
  return more;
}

function threadRow({ thread, value }, whole) {
  const { name, text, main, cpu_ns: measured } = profile.threads[thread];
  const shown = !state.off.has(thread);
  const row = listRow(name || "(no name)", shown, value, whole, () => showThreads(toggled([thread], shown)));
  if (main) row.querySelector(".name").append(element("span", "main", "badge"));
  row.title = text + (measured > 0 ? `: ${(measured / 1e9).toFixed(2)} CPU-s by the scheduler` : "");
  const only = element("button", "only", "only");
  only.setAttribute("aria-label", "Only " + text);
  only.addEventListener("click", () => showThreads(new Set([...profile.threads.keys()].filter((other) => other !== thread))));
  row.append(only);
  return row;
}

function processRow(process, group, whole) {
  const threads = group.map((row) => row.thread);
  const shown = threads.some((thread) => !state.off.has(thread));
  const row = listRow(profile.processes[process].replace(/^process /, ""), shown, sum(group.map((one) => one.value)), whole,
    () => showThreads(toggled(threads, shown)));
  row.classList.add("process");
  return row;
}

function listRow(name, shown, value, whole, change) {
  const row = element("div", undefined, "thread");
  const label = checkBox("", shown, change);
  label.append(element("span", name, "name"));
  const bar = element("div", "", "bar");
  bar.style.width = (whole > 0 ? 100 * value / whole : 0) + "%";
  row.append(label, element("span", percentText(value, whole), "share"), bar);
  row.classList.toggle("off", !shown);
  return row;
}

function toggled(threads, off) {
  const next = new Set(state.off);
  for (const thread of threads) {
    if (off) next.add(thread);
    else next.delete(thread);
  }
  return next;
}

function showThreads(off) {
  state.off = off;
  restack();
}
