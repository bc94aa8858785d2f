// SPDX-License-Identifier: Apache-2.0
// Starts the page.

function fillHead() {
  byId("title").textContent = profile.title;
  for (const [label, value] of profile.head) {
    const fact = element("span");
    fact.append(element("b", label), " " + value);
    byId("facts").append(fact);
  }
  for (const clock of clocks) {
    const option = element("option", clock.name);
    option.value = clock.key;
    byId("clock").append(option);
  }
  byId("clock").hidden = clocks.length === 1;
  byId("cost").hidden = !(profile.cpu_ns > 0 && profile.duration_ns > 0);
}

function readAddress() {
  const text = location.hash.slice(1);
  if (text === written) return;
  readState(text);
  written = text;
  showEverything();
  showDetails();
}

fillHead();
fillKeys();
connectPicture();
connectTools();
addEventListener("keydown", onKey);
addEventListener("hashchange", readAddress);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  showTheme();
  draw();
  fillTable();
});
if (location.hash.length > 1) readState(location.hash.slice(1));
written = location.hash.slice(1);
showEverything();
showDetails();
performance.mark("drawn");
