# SPDX-License-Identifier: Apache-2.0
"""The flame graph page with what is hard: names made to break it, a running program, a hundred thousand nodes."""

import random
import re

from harness import figure, folded, run, total
from pprof_reader import Profile

HOSTILE = ("</script><script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{profile}}", "<!--<script>",
           "\u202eesrever\u2066x", "'); alert(3); ('", "名前\U0001f600", "&lt;b&gt; $& $1 \\u003c", "__proto__")
THREE_TIMES = 3
ZOOM_MS, FIRST_PAINT_MS, VISIBLE = 16, 1000, 20000


def test_hostile_names_are_only_text(browser, make_page):
    names = [name.replace(";", ":") + " (x.py:1)" for name in HOSTILE]
    browser.open(make_page("\n".join("%s;leaf %d" % (name, at + 1) for at, name in enumerate(names)), "hostile"))
    shown = browser.table()
    for name in names:
        assert re.sub("[\u202e\u2066]", "\ufffd", name) in shown, sorted(shown)
    assert sum(own for own, _ in shown.values()) == sum(range(1, len(names) + 1))
    for at in range(20):
        browser.box(at / 20 + 0.02, 1)
    browser.press("i", "s", "i", "g")
    browser.download("svg")
    assert browser.evaluate("document.querySelectorAll('script').length") == 2
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
    browser.must_be_quiet()


def test_only_its_own_script_may_run(browser, make_page, tmp_path):
    page = make_page("main (app.py:1) 3", "plain")
    changed = tmp_path / "changed.html"
    changed.write_text(page.read_text(encoding="utf-8").replace("</body>", "<script>alert(1)</script><img src=x></body>"),
                       encoding="utf-8")
    browser.open(changed)
    said = browser("complaints")
    assert len(said) == 2 and all("Content Security Policy" in line for line in said), said


def test_a_snapshot(browser, any_python, tmp_path):
    outputs = {suffix: tmp_path / ("out." + suffix) for suffix in ("html", "folded", "pb.gz")}
    with any_python.start("foobar.py", "--seconds", 60, "--now") as target:
        assert target.line() == "ready"
        arguments = [word for path in outputs.values() for word in ("-o", path)]
        done = run("snapshot", "--pid", target.pid, "-d", 2, "-r", 199, *arguments)
    assert done.returncode == 0, done.stderr
    samples = total(folded(outputs["folded"].read_bytes()))
    browser.open(outputs["html"])
    assert "samples %s" % format(samples, ",") in browser.text("#facts") and "CPython" in browser.text("#facts")
    assert "pid %d" % target.pid in browser.text("h1")
    assert "cores" in browser.box(0.5, 1)[2]
    with_gil = sum(sample["values"][0] for sample in Profile(outputs["pb.gz"].read_bytes()).samples
                   if sample["labels"].get("gil") == "held")
    browser("page.selectOption", "#clock", "gil")
    browser.settle()
    assert browser.text("#shown").startswith("%s samples shown" % format(with_gil, ",")) and with_gil > 0
    browser.type("#price", "2")
    assert re.search(r"\$[\d.]+/h", browser.box(0.5, 1)[2])
    browser.must_be_quiet()


def test_a_difference(browser, tmp_path):
    texts = {"before": "m (a.py:1);foo (a.py:2);work (a.py:3) 60\nm (a.py:1);old (a.py:4) 15\nm (a.py:1);bar (a.py:5) 25\n",
             "after": "m (a.py:1);foo (a.py:2);work (a.py:9) 10\nm (a.py:1);bar (a.py:5) 30\nm (a.py:1);new (a.py:6) 10\n"}
    paths = {name: tmp_path / (name + ".folded") for name in texts}
    for name, text in texts.items():
        paths[name].write_text(text, encoding="utf-8")
    page = tmp_path / "diff.html"
    done = run("diff", paths["before"], paths["after"], "--per", "cpu", "-o", page)
    assert done.returncode == 0, done.stderr
    browser.open(page)
    changes = {row[4].split(" ")[0]: row[3] for row in browser.rows()}
    assert changes == {"foo": "\u221240.00", "work": "\u221240.00", "bar": "+35.00", "new": "+20.00", "old": "\u221215.00",
                       "m": "\u00b10.00"}
    names = {share: browser.box(share, 2)[0].split(" ")[0] for share in (0.3, 0.7, 0.9)}
    assert list(names.values()) == ["bar", "foo", "new"], "as wide as they are now"
    assert "change +35.00 %; before 25.00 %" in browser.box(0.3, 2)
    more, less = browser.color(0.3, 2), browser.color(0.7, 2)
    assert more[0] > more[2] and less[0] < less[2], "red and blue"
    browser("page.selectOption", "#clock", "before")
    browser.settle()
    assert browser.box(0.95, 2)[0] == "old (a.py)", "what is gone"
    assert browser.text("#shown") == "100 samples shown"
    browser.press("i", "s", "g")
    browser.must_be_quiet()


def deep_profile():
    """800 stacks of 126 frames: 100,000 nodes, of which more than 20,000 are on the screen."""
    numbers = random.Random(7)
    lines = []
    for leaf in range(800):
        names = ["f%d (m%d.py:%d)" % (numbers.randrange(5000), leaf % 97, leaf) for _ in range(125)]
        lines.append("root (m.py:1);%s %d" % (";".join(names), numbers.randrange(3, 5)))
    return "\n".join(lines)


def test_speed(browser, make_page):
    browser.open(make_page(deep_profile(), "deep"), "table=off&list=off")
    nodes = browser.evaluate("JSON.parse(document.getElementById('profile').textContent).nodes.parent.length")
    drawn = browser.evaluate("performance.getEntriesByName('drawn')[0].startTime")
    boxes = sum(browser.box(0.5, row) is not None for row in range(60)) * 800
    for _ in range(5):
        browser.click_box(0.5, 1)
        browser.press("0")
    zooms = browser.evaluate("performance.getEntriesByName('zoom', 'measure').map((e) => e.duration)")[1:]
    zoom = sorted(zooms)[len(zooms) // 2]
    figure("page_first_picture", drawn, "ms", "goal %d, %d nodes" % (FIRST_PAINT_MS, nodes))
    figure("page_zoom", zoom, "ms", "goal %d, median of %d, %d boxes in sight, worst %.1f" % (
        ZOOM_MS, len(zooms), boxes, max(zooms)))
    assert nodes >= 100000 and boxes >= VISIBLE
    assert drawn < THREE_TIMES * FIRST_PAINT_MS and zoom < THREE_TIMES * ZOOM_MS
