// SPDX-License-Identifier: Apache-2.0
// The functions of what is shown, as a table: what is below the box zoomed to, and matches the search.

const ROWS_AT_ONCE = 200;
const table = { rows: [], most: ROWS_AT_ONCE, body: null };

const amount = (value, count) => (profile.cpu_ns > 0 ? cpuSeconds(value).toFixed(2) : withThousands(count));
const unit = profile.cpu_ns > 0 ? " s" : "";

const COLUMNS = [
  ["self", "Self" + unit, "CPU time or samples of the function itself"],
  ["self", isDiff ? "\u00b1 %" : "%", isDiff ? "Change, of all of the later profile" : "Share of all that is shown"],
  ["total", "Total" + unit, "With all it calls; recursion counts once"],
  ["total", isDiff ? "\u00b1 %" : "%", isDiff ? "Change, of all of the later profile" : "Share of all that is shown"],
  ["name", "Function", "By name"],
];

function shownSamples() {
  return state.mode === "sandwich" ? samplesWith(current.stacks, state.focus) : samplesOfBox(current.view, current.zoomed);
}

function compareRows(a, b) {
  if (state.sort === "name") return a.frame - b.frame;
  const other = state.sort === "self" ? "total" : "self";
  if (isDiff) return Math.abs(b[state.sort + "Change"]) - Math.abs(a[state.sort + "Change"]) || a.frame - b.frame;
  return b[state.sort] - a[state.sort] || b[other] - a[other] || a.frame - b.frame;
}

function tableRows() {
  const start = state.mode === "graph" ? current.zoomed : 0;  // its callers have all of it, which says nothing
  const totals = isDiff ? functionChanges : functionTotals;
  const rows = [...totals(current.stacks, shownSamples(), start).values()];
  return rows.filter((row) => frames.owner[row.frame] !== OTHER || row.self > 0)
    .filter((row) => Math.max(row.total, Math.abs(row.totalChange || 0)) >= leastValue() && (!search.frames || search.frames.has(row.frame)))
    .sort(compareRows);
}

function fillTable() {
  table.rows = tableRows();
  table.most = ROWS_AT_ONCE;
  byId("table").setAttribute("aria-busy", "false");
  if (!state.showTable) return;
  const made = element("table");
  made.append(tableCaption(), tableHead(), table.body = element("tbody"));
  byId("table").replaceChildren(made);
  addRows(0);
  byId("table").scrollTop = 0;
}

function tableCaption() {
  const where = state.mode === "sandwich" ? "with " + frameText(state.focus) :
    current.zoomed === 0 ? "" : "below " + frameText(current.view.frame[current.zoomed]);
  const many = table.rows.length;
  const what = search.frames ? (many === 1 ? " that matches" : " that match") : "";
  return element("caption", `${withThousands(many)} function${many === 1 ? "" : "s"}${what}${where && " " + where}`);
}

function tableHead() {
  const row = element("tr");
  for (const [sort, name, title] of COLUMNS) {
    const head = element("th");
    head.scope = "col";
    const button = element("button", name);
    button.title = title;
    if (sort === state.sort) head.setAttribute("aria-sort", sort === "name" ? "ascending" : "descending");
    button.addEventListener("click", () => sortTable(sort));
    head.append(button);
    row.append(head);
  }
  const head = element("thead");
  head.append(row);
  return head;
}

function sortTable(sort) {
  state.sort = sort;
  keepFocus(byId("table"), fillTable);
  writeState();
}

function addRows(from) {
  for (const row of table.rows.slice(from, table.most)) table.body.append(tableRow(row));
  if (table.rows.length <= table.most) return;
  const line = element("tr");
  const cell = element("td");
  cell.colSpan = COLUMNS.length;
  const more = element("button", `${withThousands(table.rows.length - table.most)} more`);
  more.addEventListener("click", () => {
    line.remove();
    table.most += ROWS_AT_ONCE;
    addRows(table.most - ROWS_AT_ONCE);
  });
  cell.append(more);
  line.append(cell);
  table.body.append(line);
}

function tableRow(row) {
  const made = element("tr");
  for (const text of rowTexts(row)) made.append(element("td", text.replace(/ %$/, "")));
  made.append(functionCell(row.frame));
  made.classList.toggle("match", Boolean(search.frames));
  made.classList.toggle("selected", row.frame === state.focus);
  made.tabIndex = 0;
  made.addEventListener("click", () => focusOn(row.frame));
  made.addEventListener("keydown", (event) => event.key === "Enter" && focusOn(row.frame));
  made.addEventListener("dblclick", () => sandwichOf(row.frame));
  return made;
}

// A share where there is one profile, the change where there are two.
function rowTexts(row) {
  const whole = current.stacks.value[0];
  const share = (key) => (isDiff ? changeText(row[key + "Change"]) : percentText(row[key], whole));
  return [amount(row.self, row.selfCount), share("self"), amount(row.total, row.totalCount), share("total")];
}

function functionCell(frame) {
  const cell = element("td");
  const [name, place] = nameAndPlace(frame);
  const key = element("i", "", "key");
  key.style.background = cssColor(frameColor(frame));
  cell.title = frameText(frame) + "\nClick marks it in the graph, double click shows its callers and callees";
  cell.append(key, element("span", name, "name"), element("span", " " + place, "place"));
  const owner = framePackage(frame);
  if (owner && !["app", "kernel"].includes(owner) && !place.includes(owner)) cell.append(element("span", " " + owner, "package"));
  return cell;
}

function tableText() {
  const lines = table.rows.map((row) => [...rowTexts(row), frameText(row.frame)].join("\t"));
  const sign = isDiff ? "\u00b1" : "";
  return [`self${unit}\tself ${sign}%\ttotal${unit}\ttotal ${sign}%\tfunction`, ...lines].join("\n") + "\n";
}
