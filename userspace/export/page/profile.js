// SPDX-License-Identifier: Apache-2.0
// The profile as the exporter wrote it, and what can be said of its frames.

const byId = (id) => document.getElementById(id);
const profile = JSON.parse(byId("profile").textContent);

// Numbered as Owner in page.cpp. [name, hue, spread of hues, saturation, lightness]
const KINDS = [
  ["Python: application", 24, 20, 88, 63],
  ["Python: standard library", 50, 10, 78, 58],
  ["Python: site-packages", 138, 26, 42, 62],
  ["native", 200, 18, 60, 68],
  ["interpreter", 258, 16, 46, 78],
  ["kernel", 346, 12, 66, 74],
  ["garbage collection", 300, 8, 52, 62],
  ["process, thread, other", 0, 0, 0, 82],
];
const APP = 0;
const INTERPRETER = 4;
const OTHER = 7;

const frames = profile.frames;
const realFrames = frames.text.length;
// Frames are numbered in the order of their texts. Threads are frames too, for when their stacks are shown
// apart.
for (const thread of profile.threads) {
  frames.text.push(thread.text);
  frames.owner.push(OTHER);
  frames.line.push(0);
  for (const column of [frames.file, frames.module, frames.package]) column.push(column[0]);
}

frames.lines = [];  // of merged frames: the lines they have

let functionFrames = null;

// For each frame one for all lines of its function: itself where there are no lines. Made when they are first
// merged.
function functionOf(frame) {
  if (!functionFrames) functionFrames = mergeLines();
  return functionFrames[frame];
}

function mergeLines() {
  const merged = [...frames.text.keys()];
  const groups = new Map();
  for (let frame = 1; frame < realFrames; ++frame) {
    const bare = withoutLine(frames.text[frame]);
    if (bare === frames.text[frame]) continue;
    const key = frames.owner[frame] + " " + frames.file[frame] + " " + bare;
    if (!groups.has(key)) groups.set(key, addFrame(bare, frame));
    merged[frame] = groups.get(key);
    frames.lines[merged[frame]].add(frames.line[frame]);
  }
  for (const made of groups.values()) merged[made] = made;
  setPalette(palette.dark);
  return merged;
}

const withoutLine = (text) => text.replace(/:\d+\)$/, ")");

function addFrame(text, like) {
  for (const column of [frames.owner, frames.file, frames.module, frames.package]) column.push(column[like]);
  frames.line.push(0);
  const made = frames.text.push(text) - 1;
  frames.lines[made] = new Set();
  return made;
}

const frameText = (frame) => frames.text[frame];
const frameFile = (frame) => profile.strings[frames.file[frame]];
const framePackage = (frame) => profile.strings[frames.package[frame]];

// "name (file.py:12)" and "symbol [module]" in two parts.
function nameAndPlace(frame) {
  const text = frameText(frame);
  const end = text.at(-1);
  const at = end === ")" ? text.lastIndexOf(" (") : end === "]" ? text.lastIndexOf(" [") : -1;
  return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : [text, ""];
}

function sourceText(frame) {
  const file = frameFile(frame);
  const line = frames.line[frame];
  const source = file && line ? file + ":" + line : file;
  return [source, profile.strings[frames.module[frame]]].filter(Boolean).join(" in ");
}

function hashOf(text) {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; ++i) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}

// As 0xrrggbb; hue in degrees, the others in percent.
function rgbOf(hue, saturation, lightness) {
  const light = lightness / 100;
  const reach = saturation / 100 * Math.min(light, 1 - light);
  const channel = (offset) => {
    const at = (offset + hue / 30) % 12;
    return Math.round(255 * (light - reach * Math.max(-1, Math.min(at - 3, 9 - at, 1))));
  };
  return channel(0) << 16 | channel(8) << 8 | channel(4);
}

const cssColor = (rgb) => "#" + rgb.toString(16).padStart(6, "0");

// The colors of the boxes, by frame and theme, made when they are asked for: -1 until then.
const palette = { dark: false, colors: null };

function setPalette(dark) {
  palette.dark = dark;
  palette.colors = new Int32Array(frames.text.length).fill(-1);
}

const kindRgb = (hue, saturation, lightness) =>
  (palette.dark ? rgbOf(hue, saturation * 0.72, lightness - 9) : rgbOf(hue, saturation, lightness));

// One color per function, of its kind's range.
function frameColor(frame) {
  const known = palette.colors[frame];
  if (known >= 0) return known;
  const [, hue, spread, saturation, lightness] = KINDS[frames.owner[frame]];
  const hash = hashOf(nameAndPlace(frame)[0]);
  const drawn = hue + (spread ? hash % (spread + 1) : 0);
  return (palette.colors[frame] = kindRgb(drawn, saturation, lightness + (hash >>> 8) % 7 - 3));
}

const kindColor = ([, hue, spread, saturation, lightness]) => cssColor(kindRgb(hue + spread / 2, saturation, lightness));

// What the widths can stand for. CPU time where samples have a weight, samples where they have none.
const { samples } = profile;
const hasWeights = Boolean(samples.weight_ns);
const clocks = [{ key: "cpu", name: "on CPU", values: samples.weight_ns || samples.count, counts: samples.count }];
// Of two profiles the widths are one's, and `others` are the other's.
const isDiff = Boolean(profile.before);
if (isDiff) {
  const before = samples.before_value;
  clocks.push({ key: "before", name: "before", values: before, counts: samples.before_count, others: clocks[0].values });
  Object.assign(clocks[0], { key: "after", name: "after", others: before });
} else if (samples.gil_count) {
  clocks.push({ key: "gil", name: "on CPU with GIL", values: samples.gil_ns || samples.gil_count,
    counts: samples.gil_count });
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const allValues = clocks[0].whole = sum(clocks[0].values);

const withThousands = (number) => Math.round(number).toLocaleString("en-US");
const percentText = (part, whole) => (whole > 0 ? 100 * part / whole : 0).toFixed(2) + " %";
const cpuSeconds = (value) => (allValues > 0 ? value / allValues * profile.cpu_ns / 1e9 : 0);

// An element with text; never with markup.
function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

// A list that is made anew keeps the keyboard's place.
function keepFocus(list, remake) {
  const places = () => [...list.querySelectorAll("button, input, tbody tr")];
  const at = places().indexOf(document.activeElement);
  remake();
  const again = places()[at];
  if (again) again.focus({ preventScroll: true });
}
