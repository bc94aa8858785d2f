
"use strict";
(() => {
  const svg = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const attribute = (element, name) => parseFloat(element.getAttribute(name));
  const edge = attribute(svg, "data-edge");
  const cell = attribute(svg, "data-cell");
  const height = attribute(svg, "height");
  const drawnWidth = attribute(svg, "width");

  // Boxes as drawn: positions are shares of the root's width, callers come before callees.
  const boxes = Array.from(byId("frames").children, (group) => {
    const [title, rect, text] = group.children;
    const lines = title.textContent.split("\n");
    return {
      group, rect, text, name: lines[0], figures: lines[1],
      x: (attribute(rect, "x") - edge) / (drawnWidth - 2 * edge),
      width: attribute(rect, "width") / (drawnWidth - 2 * edge),
      y: attribute(rect, "y"),
    };
  });
  const boxOf = new Map(boxes.map((box) => [box.group, box]));
  const root = boxes[0];
  const slack = 1e-6;
  let zoomed = root;
  let pattern = null;
  let pixels = drawnWidth;

  const isWide = (point) => (point >= 0x1100 && point <= 0x115f) ||
    (point >= 0x2e80 && point <= 0xa4cf) || (point >= 0xac00 && point <= 0xd7a3) ||
    (point >= 0xf900 && point <= 0xfaff) || (point >= 0xff00 && point <= 0xff60) ||
    (point >= 0x1f300 && point <= 0x1faff) || (point >= 0x20000 && point <= 0x3fffd);

  const fitText = (name, cells) => {
    if (cells < 3) return "";
    let used = 0;
    let kept = "";
    let cut = "";
    for (const character of name) {
      used += isWide(character.codePointAt(0)) ? 2 : 1;
      if (used > cells) return cut + "\u2026";
      kept += character;
      if (used < cells) cut = kept;
    }
    return name;
  };

  const contains = (outer, inner) =>
    outer.x <= inner.x + slack && outer.x + outer.width >= inner.x + inner.width - slack;
  const isCaller = (box) => box.y > zoomed.y && contains(box, zoomed);
  const isShown = (box) => isCaller(box) || (box.y <= zoomed.y && contains(zoomed, box));

  const place = (box) => {
    const shown = isShown(box);
    box.group.classList.toggle("gone", !shown);
    if (!shown) return;
    const caller = isCaller(box);
    box.group.classList.toggle("caller", caller);
    const inner = pixels - 2 * edge;
    const x = edge + (caller ? 0 : (box.x - zoomed.x) / zoomed.width * inner);
    const width = caller ? inner : box.width / zoomed.width * inner;
    box.group.classList.toggle("thin", width < 3);
    box.rect.setAttribute("x", x);
    box.rect.setAttribute("width", width);
    box.text.setAttribute("x", x + 3);
    box.text.textContent = fitText(box.name, Math.floor((width - 6) / cell));
  };

  const draw = () => {
    pixels = window.top === window ? Math.max(600, window.innerWidth) : drawnWidth;
    svg.setAttribute("width", pixels);
    svg.setAttribute("viewBox", `0 0 ${pixels} ${height}`);
    byId("tools").setAttribute("transform", `translate(${pixels - edge})`);
    byId("reset").classList.toggle("gone", zoomed === root);
    boxes.forEach(place);
  };

  const zoom = (box) => {
    zoomed = box;
    draw();
    showMatches();
  };

  // Lower case finds both cases; what is no regular expression is taken literally.
  const compile = (term) => {
    const flags = term === term.toLowerCase() ? "iu" : "u";
    try {
      return new RegExp(term, flags);
    } catch (error) {
      return new RegExp(term.replace(/[.*+?^${}()|[\]\\\/-]/g, "\\$&"), flags.replace("u", ""));
    }
  };

  // A match inside a match adds nothing to the share, which is of what is zoomed to.
  const showMatches = () => {
    const hits = [];
    for (const box of boxes) {
      const hit = pattern !== null && pattern.test(box.name);
      box.group.classList.toggle("match", hit);
      if (hit && box.y <= zoomed.y && contains(zoomed, box)) hits.push(box);
    }
    hits.sort((a, b) => a.x - b.x || b.width - a.width);
    let share = 0;
    let end = -1;
    for (const box of hits) {
      if (box.x < end - slack) continue;
      share += box.width;
      end = box.x + box.width;
    }
    const callers = boxes.some((box) => pattern !== null && isCaller(box) && pattern.test(box.name));
    const percent = callers ? 100 : 100 * share / zoomed.width;
    byId("matched").textContent = pattern === null ? "" : `Matched: ${percent.toFixed(2)} %`;
    byId("search").textContent = pattern === null ? "Search" : "Reset search";
  };

  const search = () => {
    const term = window.prompt("Search by regular expression, such as a function or file.py:42", "");
    if (term === null) return;
    pattern = term === "" ? null : compile(term);
    showMatches();
  };

  const clearSearch = () => {
    pattern = null;
    showMatches();
  };

  const boxAt = (event) => boxOf.get(event.target.closest("g.f"));

  byId("frames").addEventListener("click", (event) => {
    const box = boxAt(event);
    if (box !== undefined) zoom(box);
  });
  byId("frames").addEventListener("mouseover", (event) => {
    const box = boxAt(event);
    if (box === undefined) return;
    const room = Math.floor((pixels - 2 * edge) / cell) - box.figures.length - 22;
    byId("details").textContent = `${fitText(box.name, Math.max(20, room))}  ${box.figures}`;
  });
  byId("frames").addEventListener("mouseout", () => { byId("details").textContent = " "; });
  byId("reset").addEventListener("click", () => zoom(root));
  byId("search").addEventListener("click", () => (pattern === null ? search() : clearSearch()));
  window.addEventListener("resize", draw);
  window.addEventListener("keydown", (event) => {
    const find = (event.ctrlKey || event.metaKey) && event.key === "f";
    if (find || event.key === "/" || event.key === "F3") {
      event.preventDefault();
      search();
    } else if (event.key === "Escape") {
      if (pattern === null) zoom(root); else clearSearch();
    } else if (event.key === "0") {
      zoom(root);
    }
  });

  byId("search").classList.remove("gone");
  draw();
})();
