# SPDX-License-Identifier: Apache-2.0
"""The interactive flame graph page in a real browser. The truth is the folded text that it is made from."""

import collections
import re
import xml.etree.ElementTree as ElementTree

import pytest

from harness import folded, total

LIBRARY = "/usr/lib/python3.12/json/decoder.py"
PACKAGE = "/opt/venv/lib/python3.12/site-packages/numpy/core.py"
SHOP = """
process shop (10);thread main (10);<module> (app.py:3);serve (app.py:10);parse (app.py:20) 5
process shop (10);thread main (10);<module> (app.py:3);serve (app.py:10);parse (app.py:21) 25
process shop (10);thread main (10);<module> (app.py:3);serve (app.py:11);loads (LIB:8);scan [_json.so] 20
process shop (10);thread main (10);<module> (app.py:3);serve (app.py:11);loads (LIB:8);scan [_json.so];page_fault [kernel] 4
process shop (10);thread worker-1 (11);<module> (app.py:4);walk (tree.py:7);walk (tree.py:7);walk (tree.py:7) 16
process shop (10);thread worker-1 (11);<module> (app.py:4);walk (tree.py:7);dot (PKG:9) 10
process shop (10);thread worker-1 (11);<module> (app.py:4);walk (tree.py:7);gc_collect_main [python3] 2
process batch (20);thread main (20);<module> (job.py:1);serve (app.py:10);parse (app.py:20) 18
""".replace("LIB", LIBRARY).replace("PKG", PACKAGE).strip()
ONE = """
<module> (app.py:3);foo (app.py:10);work (app.py:30) 60
<module> (app.py:3);foo (app.py:10);work (app.py:31) 14
<module> (app.py:3);foo (app.py:10) 1
<module> (app.py:3);bar (app.py:20);work (app.py:30) 25
""".strip()


@pytest.fixture(scope="module", name="shop")
def fixture_shop(make_page):
    return make_page(SHOP, "shop", "--full-filenames")


@pytest.fixture(scope="module", name="one")
def fixture_one(make_page):
    return make_page(ONE, "one")


@pytest.fixture(autouse=True)
def quiet(browser):
    yield
    browser.must_be_quiet()


def stacks_of(text):
    return [(frames, n) for frames, n in folded(text.encode())]


def functions(stacks):
    """{frame: (self, total)}, recursion counted once; without processes and threads."""
    own, whole = collections.Counter(), collections.Counter()
    for frames, n in stacks:
        own[frames[-1]] += n
        for frame in set(frames):
            whole[frame] += n
    return {frame: (own[frame], n) for frame, n in whole.items() if not re.match(r"(process|thread) ", frame)}


def percents(lines):
    """{"total": 12.5, "self": 0.0} of a tip."""
    return {word: float(share) for line in lines[1:] for word, share in re.findall(r"^(total|self) ([\d.]+) %", line)}


def test_the_table_says_what_the_folded_text_says(browser, shop):
    browser.open(shop)
    assert browser.table() == functions(stacks_of(SHOP))
    assert "samples 100" in browser.text("#facts")
    assert browser.text("#shown") == "100 samples shown"


def test_boxes_are_as_wide_as_their_share(browser, one):
    browser.open(one)
    assert browser.box(0.5, 0)[0] == "all"
    assert browser.box(0.5, 1)[0] == "<module> (app.py:3)"
    bar, foo = browser.box(0.1, 2), browser.box(0.9, 2)
    assert (bar[0], percents(bar)) == ("bar (app.py:20)", {"total": 25.0, "self": 0.0})
    assert (foo[0], percents(foo)) == ("foo (app.py:10)", {"total": 75.0, "self": 1.0})
    edges = [share / 1000 for share in range(5, 1000, 5)]
    names = [browser.box(share, 2)[0] for share in edges[::8]]
    assert abs(names.count("bar (app.py:20)") / len(names) - 0.25) < 0.05
    assert browser.box(0.995, 3) is None, "foo's own time has nothing below it"
    assert browser.box(0.5, 4) is None


def test_zoom_and_back(browser, one):
    browser.open(one)
    browser.click_box(0.9, 2)
    assert browser.path() == ["all", "<module> (app.py:3)", "foo (app.py:10)"]
    assert browser.box(0.02, 2)[0] == "foo (app.py:10)", "it fills the width"
    assert percents(browser.box(0.02, 2))["total"] == 75.0, "shares stay those of the whole"
    assert browser.table() == functions([(f[1:], n) for f, n in stacks_of(ONE) if "foo (app.py:10)" in f])
    assert "below foo" in browser.text("#table caption")
    browser.press("-")
    assert browser.path()[-1] == "<module> (app.py:3)"
    browser("page.goBack")
    assert browser.path()[-1] == "foo (app.py:10)"
    browser.press("Escape")
    assert browser.path() == ["all"] and browser.box(0.1, 2)[0] == "bar (app.py:20)"
    browser.click_box(0.9, 2)
    browser.click("#path button >> nth=1")
    assert browser.path() == ["all", "<module> (app.py:3)"]
    browser("page.mouse.dblclick", *browser.place(0.9, 2))
    assert browser.path() == ["all"]


@pytest.mark.parametrize("query,frames", [
    ("WORK", ["work (app.py:30)", "work (app.py:31)"]),
    ("/^(foo|bar)/", ["foo (app.py:10)", "bar (app.py:20)"]),
    ("app.py:31", ["work (app.py:31)"]),
    ("nothing like it", []),
])
def test_search(browser, one, query, frames):
    browser.open(one)
    browser.press("/")
    browser("page.keyboard.type", query)
    browser.settle()
    share = 100 * sum(n for stack, n in stacks_of(ONE) if set(frames) & set(stack)) / total(stacks_of(ONE))
    assert float(browser.text("#matched").split(" ")[0]) == share
    assert set(browser.table()) == set(frames)
    browser.press("Escape")
    assert browser.text("#matched") == "" and len(browser.table()) == 5


def test_matches_one_after_the_other(browser, one):
    browser.open(one, "search=work")
    seen = []
    for _ in range(4):
        browser.click("#next")
        seen.append(browser.text("#details b") + browser.text("#details span >> nth=1"))
    assert seen[0].startswith("work (app.py:30)total 60.00") and seen[1].startswith("work (app.py:30)total 25.00")
    assert seen[2].startswith("work (app.py:31)total 14.00") and seen[3] == seen[0]
    assert browser.text("#matched").endswith("1/3")
    browser.click("#previous")
    assert browser.text("#matched").endswith("3/3")
    browser.type("#search", "/(/")
    assert browser.attribute("#search", "class") == "wrong" and browser.text("#matched") == ""


def test_inverted(browser, one):
    browser.open(one)
    browser.press("i")
    first = browser.box(0.1, 1)
    assert first[0] == "work (app.py:30)" and percents(first)["total"] == 85.0
    assert [browser.box(share, 2)[0] for share in (0.3, 0.7)] == ["foo (app.py:10)", "bar (app.py:20)"]
    assert percents(browser.box(0.3, 2))["total"] == 60.0
    assert browser.box(0.995, 1)[0] == "foo (app.py:10)" and percents(browser.box(0.995, 1))["total"] == 1.0
    browser.click_box(0.7, 2)
    assert browser.path() == ["all", "work (app.py:30)", "bar (app.py:20)"]
    assert {name for name, row in browser.table().items() if row[0]} == {"work (app.py:30)"}


def test_sandwich(browser, shop):
    browser.open(shop)
    browser("page.dblclick", "#table td:has-text('serve (app.py:10)')")
    browser.settle()
    assert browser.path() == ["serve (app.py:10)"]
    lines = collections.defaultdict(set)
    for row in range(12):
        for share in (0.05, 0.3, 0.5, 0.8, 0.95):
            box = browser.box(share, row)
            lines[row].add(box[0] if box else None)
    rows = [lines[row] - {None} for row in sorted(lines) if lines[row] - {None}]
    middle = rows.index({"serve (app.py:10)"})
    assert rows[middle - 1] == {"<module> (app.py:3)", "<module> (job.py:1)"}, "callers above"
    assert rows[middle + 1] == {"parse (app.py:20)", "parse (app.py:21)"}, "callees below"
    assert browser.table() == functions([(f, n) for f, n in stacks_of(SHOP) if "serve (app.py:10)" in f])
    browser.press("s")
    assert browser.attribute("#mode-graph", "aria-pressed") == "true"


def test_threads_and_processes(browser, shop):
    browser.open(shop)
    assert browser.texts("#threads .process .name") == ["shop (10)", "batch (20)"]
    shares = [float(text.rstrip(" %")) for text in browser.texts("#threads .share")]
    assert shares == [82, 54, 28, 18, 18], "processes and their threads, the busiest first"
    assert browser.texts("#threads .badge") == ["main", "main"]
    browser.click(".thread:has-text('worker-1') input")
    assert browser.table() == functions([s for s in stacks_of(SHOP) if "thread worker-1 (11)" not in s[0]])
    browser.click(".process:has-text('batch') input")
    assert browser.table() == functions([s for s in stacks_of(SHOP) if "thread main (10)" in s[0]])
    browser.click(".tools button")
    assert browser.text("#shown") == "100 samples shown"
    browser("page.hover", ".thread:has-text('worker-1')")
    browser.click(".thread:has-text('worker-1') .only")
    assert browser.table() == functions([s for s in stacks_of(SHOP) if "thread worker-1 (11)" in s[0]])


def test_threads_apart_or_merged(browser, shop):
    browser.open(shop)
    assert browser.box(0.5, 2)[0].startswith("<module>")
    browser.click(".tools input")
    assert {browser.box(share, 2)[0] for share in (0.05, 0.3, 0.95)} == {
        "thread main (20)", "thread main (10)", "thread worker-1 (11)"}
    assert browser.box(0.05, 1)[0] == "process batch (20)"


def test_hidden_frames(browser, shop):
    browser.open(shop)
    browser.click("#hide-library")
    own = [([f for f in frames if re.search(r"\((app|tree|job)\.py", f)], n) for frames, n in stacks_of(SHOP)]
    assert browser.table() == functions(own)
    browser.click("#hide-runtime")
    assert not any("<module>" in name for name in browser.table())
    browser.click("#hide-library")
    browser.click("#hide-runtime")
    browser.type("#search", "parse (app.py:2")
    browser.click("#lines")
    browser.type("#search", "parse")
    assert browser.table() == {"parse (app.py)": (48, 48)}, "lines are merged"
    browser.type("#search", "app.py:21")
    assert browser.table() == {"parse (app.py)": (48, 48)}


def test_small_ones_are_hidden(browser, make_page):
    browser.open(make_page("a (x.py:1);b (x.py:2) 995\na (x.py:1);c (x.py:3) 5", "small"))
    assert browser.box(0.998, 2)[0] == "c (x.py:3)"
    browser.click("#hide-small")
    assert browser.box(0.998, 2) is None and set(browser.table()) == {"a (x.py:1)", "b (x.py:2)"}
    assert browser.table()["a (x.py:1)"] == (0, 1000)


def test_colors_by_kind(browser, shop):
    browser.open(shop)
    kinds = ["Python: application", "Python: standard library", "Python: site-packages", "native", "kernel",
             "garbage collection"]
    assert [text for text in browser.texts("#legend > span") if "other" not in text] == kinds
    colors = {}
    for share in [at / 50 + 0.005 for at in range(50)]:
        for row in range(3, 8):
            box = browser.box(share, row)
            if box and box[0].split(" ")[0] not in colors:
                colors[box[0].split(" ")[0]] = tuple(browser.color(share, row))
    assert len({colors[name] for name in ("serve", "loads", "dot", "scan", "page_fault", "gc_collect_main")}) == 6
    red, green, blue = colors["serve"]
    assert red > green > blue, "the application is warm"
    assert colors["scan"][2] > colors["scan"][0], "native code is cool"


def test_dark_and_light(browser, one):
    def back():
        return sum(browser.color(0.999, 10)) / 3
    browser.open(one, colorScheme="dark")
    assert back() < 60
    browser("page.emulateMedia", {"colorScheme": "light"})
    browser("page.waitForTimeout", 100)
    assert back() > 200, "it follows the system"
    browser.press("d")
    assert back() < 60 and "theme=dark" in browser.evaluate("location.hash")
    browser.press("d")
    assert back() > 200


def test_root_at_the_bottom(browser, one):
    browser.open(one)
    lines = int(browser.evaluate("document.getElementById('canvas').clientHeight / 18"))
    browser.press("f")
    rest = browser.evaluate("document.getElementById('canvas').clientHeight % 18") / 18
    assert browser.box(0.5, lines - 1 + rest)[0] == "all"
    assert browser.box(0.1, lines - 3 + rest)[0] == "bar (app.py:20)"


def test_keys_and_what_screen_readers_hear(browser, one):
    browser.open(one)
    for element in ("canvas", "search", "export", "help"):
        browser("page.focus", "#" + element)
        assert browser.evaluate("document.activeElement.id") == element
    browser("page.focus", "#canvas")
    browser.press("ArrowDown", "ArrowDown", "ArrowDown")
    browser.press("ArrowLeft")
    assert "bar (app.py:20)" in browser.attribute("#canvas", "aria-label")
    browser.press("ArrowRight")
    assert "foo (app.py:10)" in browser.attribute("#canvas", "aria-label")
    assert browser.text("#details b") == "foo (app.py:10)" and browser.attribute("#details", "aria-live") == "polite"
    browser.press("Enter")
    assert browser.path()[-1] == "foo (app.py:10)"
    browser.press("ArrowUp")
    assert "<module>" in browser.attribute("#canvas", "aria-label")
    browser.press("t", "c")
    assert browser.evaluate("[...document.querySelectorAll('aside')].every((e) => e.hidden)")
    browser.press("t", "c", "?")
    assert "sandwich" in browser.text("dialog") and browser.evaluate("document.querySelector('dialog').open")
    browser.press("Escape")
    assert not browser.evaluate("document.querySelector('dialog').open")
    assert browser.evaluate(
        "[...document.querySelectorAll('button, input, select, canvas, aside, nav')].filter((e) => !(e.innerText ||"
        " e.getAttribute('aria-label') || e.labels?.[0]?.innerText)).map((e) => e.outerHTML)") == []
    assert browser.texts("th[aria-sort]") == ["Self", "%"]
    browser.press("0")
    browser("page.focus", ".thread input")
    browser.press("Space", "Space")
    assert browser.evaluate("document.activeElement.type") == "checkbox", "the place in the list is kept"
    browser.click("th:last-child button")
    assert list(browser.table()) == sorted(functions(stacks_of(ONE)))


def test_the_address_holds_what_is_seen(browser, shop):
    browser.open(shop)
    browser.click(".thread:has-text('batch') input")
    browser.click(".tools input")
    browser.click_box(0.3, 2)
    browser.type("#search", "walk")
    browser.press("Tab")
    browser.click("#flip")
    browser.click("th:last-child button")

    def seen():
        return [browser.path(), browser.table(), browser.text("#matched"), browser.text("#flip"),
                browser.texts("#threads .off")]
    before, address = seen(), browser.evaluate("location.hash")
    browser.open(shop, address[1:])
    assert seen() == before
    assert len(before[0]) == 3 and before[4] != []
    browser.open(shop, "zoom=99999.x&function=-4&without=77&view=odd&sort=__proto__&search=%2F(%2F&price=x&clock=no")
    assert browser.path() == ["all"] and browser.text("#shown") == "100 samples shown"


def test_what_is_seen_can_be_taken_along(browser, shop):
    browser.open(shop)
    name, data = browser.download("folded")
    without_threads = collections.Counter()
    for frames, n in stacks_of(SHOP):
        without_threads[tuple(f for f in frames if not f.startswith("thread "))] += n
    assert name == "flame.folded"
    assert {tuple(f): n for f, n in folded(data)} == without_threads
    browser.type("#search", "")
    browser.open(shop, "search=walk")
    browser.click("#next")
    browser("page.focus", "#canvas")
    browser.press("+")
    _, data = browser.download("folded")
    assert total(folded(data)) == 28 and all("walk (tree.py:7)" in f for f, _ in folded(data))
    _, data = browser.download("svg")
    titles = [e.text.split("\n")[0] for e in ElementTree.fromstring(data).iter("{http://www.w3.org/2000/svg}title")]
    assert set(titles) >= {"walk (tree.py:7)", "gc_collect_main [python3]"} and "serve (app.py:10)" not in titles
    _, data = browser.download("png")
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and int.from_bytes(data[16:20], "big") == 2400


def test_copies_and_paper(browser, one):
    browser.open(one, permissions=["clipboard-read", "clipboard-write"])
    browser.click_box(0.9, 2)
    for what, text in (("name", "foo (app.py:10)"), ("stack", "all\n<module> (app.py:3)\nfoo (app.py:10)\n")):
        browser("page.selectOption", "#export", what)
        browser("page.waitForTimeout", 50)
        assert browser.evaluate("navigator.clipboard.readText()") == text
    browser("page.selectOption", "#export", "table")
    browser("page.waitForTimeout", 50)
    head, *rows = browser.evaluate("navigator.clipboard.readText()").splitlines()
    assert head.split("\t") == ["self", "self %", "total", "total %", "function"]
    assert rows[0].split("\t") == ["60", "60.00 %", "60", "60.00 %", "work (app.py:30)"]
    browser.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert "foo (app.py:10)" in browser.evaluate("document.querySelector('#graph svg').textContent")
    browser.evaluate("dispatchEvent(new Event('afterprint'))")
    assert browser.evaluate("document.querySelector('#graph svg')") is None
