# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium that looks at the profiler's pages: browser.js, told what to do line by line."""

import base64
import json
import os
import re
import subprocess

import harness
from harness import Process

ROW_PX = 18


class Browser(Process):
    def __init__(self, chromium, modules):
        argv = ["node", os.path.join(harness.HERE, "browser.js"), chromium]
        super().__init__(argv, env=dict(os.environ, NODE_PATH=modules))
        assert json.loads(self.line())["result"] == "ready"

    def __call__(self, call, *arguments):
        """What playwright's function returns: call("page.keyboard.press", "i")."""
        self.child.stdin.write(json.dumps({"call": call, "arguments": arguments}).encode() + b"\n")
        self.child.stdin.flush()
        answer = json.loads(self.line())
        assert "error" not in answer, "%s%s: %s" % (call, arguments, answer["error"])
        return answer["result"]

    def open(self, path, address="", **options):
        self("open", "file://%s%s" % (path, address and "#" + address), options)
        self.settle()

    def must_be_quiet(self):
        """Nothing was logged, thrown, asked or loaded beside the file itself."""
        assert self("complaints") == []
        loaded = [url for url in self("loaded") if not url.startswith("blob:")]
        assert len(loaded) == 1 and loaded[0].startswith("file:"), loaded

    def settle(self):
        """The table follows the picture."""
        self("page.waitForSelector", "#table[aria-busy=false]", {"state": "attached"})

    def press(self, *keys):
        for key in keys:
            self("page.keyboard.press", key)
        self.settle()

    def click(self, selector, **options):
        self("page.click", selector, options)
        self.settle()

    def type(self, selector, text):
        self("page.fill", selector, text)
        self.settle()

    def evaluate(self, script):
        return self("page.evaluate", script)

    def text(self, selector):
        return self("page.innerText", selector)

    def texts(self, selector):
        return self.evaluate("[...document.querySelectorAll(%s)].map((e) => e.innerText)" % json.dumps(selector))

    def attribute(self, selector, name):
        return self("page.getAttribute", selector, name)

    def path(self):
        """Where the picture is zoomed to, root first."""
        return self.texts("#path button")

    def rows(self):
        """The texts of the table's cells."""
        return self.evaluate("[...document.querySelectorAll('#table tbody tr')].map((row) => "
                             "[...row.cells].map((cell) => cell.textContent.trim()))")

    def table(self):
        """{function: (self, total)} as the table's first and third column say."""
        rows = self.rows()
        numbers = [(float(row[0].replace(",", "")), float(row[2].replace(",", ""))) for row in rows]
        names = [re.sub(r" [\w.]+$", "", row[4]) for row in rows]  # without the package behind it
        return dict(zip(names, numbers))

    def place(self, share, row):
        """Where on the screen a share of the width of a line of the picture is."""
        area = self.evaluate("(() => { const a = document.getElementById('canvas').getBoundingClientRect(); "
                             "return [a.left, a.top, a.width]; })()")
        return area[0] + share * area[2], area[1] + (row + 0.5) * ROW_PX

    def box(self, share, row):
        """The lines of the tip for the box there; None if there is none."""
        self("page.mouse.move", *self.place(share, row))
        return self.evaluate("document.getElementById('tip').hidden ? null : "
                             "[...document.querySelectorAll('#tip div')].map((line) => line.innerText)")

    def click_box(self, share, row, **options):
        self("page.mouse.click", *self.place(share, row), options)
        self.settle()

    def color(self, share, row):
        """Of the pixel there: [red, green, blue]."""
        return self.evaluate(
            "(() => { const from = document.getElementById('canvas'), pixel = new OffscreenCanvas(1, 1);"
            "const pen = pixel.getContext('2d'); pen.drawImage(from, Math.floor(%r * from.width), %d, 1, 1, 0, 0, 1, 1);"
            "return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3); })()" % (share, row * ROW_PX + 2))

    def download(self, what):
        name, data = self("download", "#export", what)
        return name, base64.b64decode(data)


def find_chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        done = subprocess.run(["which", name], stdout=subprocess.PIPE, check=False)
        if done.returncode == 0:
            return done.stdout.decode().strip()
    return None
