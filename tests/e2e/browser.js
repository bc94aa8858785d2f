// SPDX-License-Identifier: Apache-2.0
// browser.js CHROMIUM: a headless browser that does what its input says, with playwright-core of $NODE_PATH. A line of
// input is {"call": "page.keyboard.press", "arguments": ["i"]}, a line of output {"result": ...} or {"error": "..."}.
// Beside `page` there are `context` and what is defined below.
"use strict";
const readline = require("readline");
const fs = require("fs");
const { chromium } = require("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"];

async function start(executablePath) {
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const objects = { seen: [], requests: [] };

  // A new window; what it logs, throws, asks and loads is kept.
  objects.open = async (url, options) => {
    if (objects.context) await objects.context.close();
    objects.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, ...options });
    const page = (objects.page = await objects.context.newPage());
    objects.seen = [];
    objects.requests = [];
    page.on("console", (message) => objects.seen.push(message.type() + ": " + message.text()));
    page.on("pageerror", (error) => objects.seen.push("thrown: " + error.stack));
    page.on("dialog", async (dialog) => {
      objects.seen.push("dialog: " + dialog.message());
      await dialog.dismiss();
    });
    page.on("request", (request) => objects.requests.push(request.url()));
    await page.goto(url);
    return "opened";
  };
  objects.complaints = async () => objects.seen;
  objects.loaded = async () => objects.requests;

  // What choosing an entry of a list brings as a download: [file name, its bytes in base64].
  objects.download = async (selector, value) => {
    const [download] = await Promise.all([objects.page.waitForEvent("download"), objects.page.selectOption(selector, value)]);
    return [download.suggestedFilename(), fs.readFileSync(await download.path()).toString("base64")];
  };
  return { browser, objects };
}

async function answer(objects, line) {
  const request = JSON.parse(line);
  const parts = request.call.split(".");
  const method = parts.pop();
  const owner = parts.reduce((object, part) => object[part], objects);
  const result = await owner[method](...(request.arguments || []));
  return Buffer.isBuffer(result) ? result.toString("base64") : result;
}

(async () => {
  const { browser, objects } = await start(process.argv[2]);
  console.log(JSON.stringify({ result: "ready" }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let reply;
    try {
      const result = await answer(objects, line);
      reply = JSON.stringify({ result: result === undefined ? null : result });
    } catch (error) {
      reply = JSON.stringify({ error: String(error.message) });
    }
    console.log(reply);
  }
  await browser.close();
})();
