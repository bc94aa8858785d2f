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
// Threads are frames too, for when their stacks are shown apart.
for (const thread of profile.threads) {
  frames.text.push(thread.text);
  frames.owner.push(OTHER);
  frames.line.push(0);
  for (const column of [frames.file, frames.module, frames.package]) column.push(column[0]);
}

const frameText = (frame) => frames.text[frame];
const frameFile = (frame) => profile.strings[frames.file[frame]];
const framePackage = (frame) => profile.strings[frames.package[frame]];

// "name (file.py:12)" and "symbol [module]" in two parts.
function nameAndPlace(frame) {
  const text = frameText(frame);
  const match = /^(.*\S) ([([][^()[\]]*[)\]])$/s.exec(text);
  return match ? [match[1], match[2]] : [text, ""];
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

const darker = () => document.documentElement.dataset.theme === "dark";
let colors = { dark: false, of: [] };

// One color per function, of its kind's range.
function frameColor(frame) {
  if (colors.dark !== darker()) colors = { dark: darker(), of: [] };
  if (!colors.of[frame]) {
    const [, hue, spread, saturation, lightness] = KINDS[frames.owner[frame]];
    const hash = hashOf(nameAndPlace(frame)[0]);
    const drawn = hue + (spread ? hash % (spread + 1) : 0);
    colors.of[frame] = hsl(drawn, saturation, lightness + (hash >>> 8) % 7 - 3);
  }
  return colors.of[frame];
}

const hsl = (hue, saturation, lightness) => (colors.dark ?
  `hsl(${hue} ${Math.round(saturation * 0.72)}% ${lightness - 9}%)` : `hsl(${hue} ${saturation}% ${lightness}%)`);

const kindColor = ([, hue, spread, saturation, lightness]) => hsl(hue + spread / 2, saturation, lightness);

// What the widths can stand for. CPU time where samples have a weight, samples where they have none.
const { samples } = profile;
const hasWeights = Boolean(samples.weight_ns);
const clocks = [{ key: "cpu", name: "on CPU", values: samples.weight_ns || samples.count, counts: samples.count }];
if (samples.gil_count) {
  clocks.push({ key: "gil", name: "on CPU, holding the GIL", values: samples.gil_ns || samples.gil_count,
    counts: samples.gil_count });
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
const allValues = sum(clocks[0].values);

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
