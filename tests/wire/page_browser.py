"""
The page at /topology in a real browser (headless Chromium), on a real prober:
what it shows as things change, what hostile names do to it (nothing), that it
says so when it stands still, and how it is used by keyboard and on a phone.
"""
import json
import pathlib
import random
import signal
import socket
import sys

import pytest

from prober_lib import (Etcd, Member, Prober, cluster, folder, own_cluster,
                        shared_cluster, wait_until)

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from browser import DESKTOP, PHONE, Browser  # noqa: E402

__all__ = ["Etcd", "cluster", "folder", "own_cluster", "shared_cluster"]

# What is_snap_name() lets through: no blank in it.
HOSTILE = ["<img/src=x/onerror=hit(1)>", "</script><script>hit(2)</script>",
           "\"onmouseover=hit(3)//" + "x" * 42]
REASON = "<img src=x onerror=hit(4)> \u202egnp.exe 🐘 </p><script>hit(5)"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("chromium")) as b:
        yield b


@pytest.fixture
def browser(chromium):
    chromium.media()
    chromium.size(*DESKTOP)
    chromium.open("about:blank")
    chromium.complaints()
    yield chromium


@pytest.fixture
def prober(folder, own_cluster):
    with Prober(folder, own_cluster.etcd.port) as p:
        wait_until(lambda: p.get("/healthz")[0] == 200, "all were heard of")
        yield p


def text(browser, css="body"):
    return browser.js("const e = document.querySelector(arguments[0]);"
                      "return e ? e.innerText : ''", css)


def open_page(browser, prober):
    browser.open(f"http://127.0.0.1:{prober.port}/topology")
    wait_until(lambda: browser.js(
        "return document.querySelectorAll('.member').length") >= 3,
        "the page shows the members")


def control(prober, **order):
    body = json.dumps({"cluster": "main", "by": "me", **order}).encode()
    s = socket.socket(socket.AF_UNIX)
    s.connect(str(prober.keys["http_socket"]))
    s.sendall(b"POST /control HTTP/1.0\r\nContent-Type: application/json\r\n"
              b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    answer = s.makefile("rb").read()
    s.close()
    assert b" 200 " in answer.split(b"\r\n")[0], answer


def test_a_shows_and_follows(browser, prober, own_cluster):
    open_page(browser, prober)
    assert "Writes go to node1" in text(browser, ".verdict")
    assert text(browser, "[data-member=node2] .role") == "replica"
    wait_until(lambda: browser.js("return document.querySelectorAll("
                                  "'.wal').length") == 2, "arrows")
    own_cluster.etcd.delete("leader")
    wait_until(lambda: "No writes: nobody holds the leader key"
               in text(browser, ".verdict"), "it says that there is no leader")
    assert "no leader" in browser.driver.title
    assert "main: no leader" in browser.js(
        "return document.getElementById('said').textContent")
    wait_until(lambda: "nobody takes the writes" in text(browser, ".events"),
               "the event is in the list")
    own_cluster.etcd.put("leader", "node1")
    wait_until(lambda: "Writes go to node1" in text(browser, ".verdict"),
               "node1 leads again")
    assert [c for c in browser.complaints() if "/reports" not in c] == []


def test_b_standing_still(browser, prober):
    open_page(browser, prober)
    assert text(browser, "#stale") == ""
    prober.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: "STANDING STILL" in text(browser, "#stale"),
               "it says that it stands still", 10)
    assert browser.driver.title.startswith("STANDING STILL")
    assert browser.js("return parseFloat(getComputedStyle(document."
                      "querySelector('#stale .big')).fontSize)") >= 30
    prober.process.send_signal(signal.SIGCONT)
    wait_until(lambda: text(browser, "#stale") == "", "it lives again", 10)
    prober.stop()
    wait_until(lambda: "no connection" in text(browser, "#stale"),
               "it says why", 10)
    prober.start()
    wait_until(lambda: text(browser, "#stale") == "", "it lives again", 15)


def test_c_hostile_names(browser, folder, own_cluster):
    evil = [Member(name) for name in HOSTILE]
    for m in evil:
        own_cluster.etcd.put(f"members/{m.name}", m.key())
    try:
        with Prober(folder, own_cluster.etcd.port) as prober:
            wait_until(lambda: len(prober.cluster()["members"]) == 6, "six")
            control(prober, verb="drain", member="node2", reason=REASON,
                    for_s=60)
            open_page(browser, prober)
            browser.js("window.hits = []; window.hit = (n) => hits.push(n)")
            wait_until(lambda: "⟨U+202E⟩gnp.exe 🐘" in text(browser), "reason")
            for name in HOSTILE:
                assert name in text(browser)
            browser.js("document.querySelectorAll('details').forEach("
                       "d => { d.open = true; })")
            wait_until(lambda: browser.js("return document.querySelectorAll("
                                          "'tbody tr').length") >= 6, "table")
            assert browser.js("return document.querySelectorAll('img, "
                              "script:not([src]), iframe').length") == 0
            assert browser.js("return hits") == []
            browser.size(*PHONE)
            wait_until(lambda: browser.js("return document.documentElement."
                                          "scrollWidth") <= 320, "it fits")
            assert [c for c in browser.complaints()
                    if "/reports" not in c] == []
    finally:
        for m in evil:
            m.stop()


def test_d_keyboard(browser, prober):
    open_page(browser, prober)
    keys = browser.driver.switch_to.active_element
    keys.send_keys("\ue004")  # Tab
    assert text(browser, ":focus") == "Skip to the clusters"
    assert browser.js("const r = document.activeElement."
                      "getBoundingClientRect(); return r.height > 20")
    seen = set()
    for _ in range(30):
        at = browser.driver.switch_to.active_element
        seen.add(at.tag_name)
        if at.tag_name == "summary":
            assert browser.js("return getComputedStyle(document."
                              "activeElement).outlineStyle") == "solid"
            at.send_keys("\ue007")  # Enter
            break
        at.send_keys("\ue004")
    assert {"a", "summary"} <= seen
    wait_until(lambda: "Members of main" in text(browser, "caption"), "table")
    assert browser.js("return document.querySelectorAll('main, header, nav, "
                      "h1, [aria-live=polite]').length") >= 5


def test_e_dark_phone_and_still(browser, prober):
    colour = ("return getComputedStyle(document.body).backgroundColor + "
              "getComputedStyle(document.body).color")
    open_page(browser, prober)
    light = browser.js(colour)
    browser.media("dark")
    assert browser.js(colour) != light
    browser.media("dark", "reduce")
    assert browser.js("return [...document.querySelectorAll('.fill')].every("
                      "e => getComputedStyle(e).transitionDuration == '0s')")
    for width in (320, 360, 800):
        browser.size(width, 640)
        wait_until(lambda: browser.js(
            "return document.documentElement.scrollWidth") <= width, width)


ORDERS = """
return (async (texts) => {
    const {h, show} = await import('/topology/dom.js');
    const ul = document.body.appendChild(document.createElement('ul'));
    const watch = new MutationObserver(() => 0);
    const wrong = [], moved = [];
    watch.observe(ul, {childList: true});
    for (const text of texts) {
        const before = new Map(
            [...ul.children].map((li) => [li.textContent, li]));
        show(ul, [...text].map((c) => h('li', {key: c}, c)));
        moved.push(watch.takeRecords().reduce(
            (n, r) => n + r.removedNodes.length, 0));
        if (ul.textContent !== text)
            wrong.push([text, ul.textContent]);
        for (const li of ul.children)
            if ((before.get(li.textContent) || li) !== li)
                wrong.push(`${li.textContent} of ${text} is another node`);
    }
    return [wrong, moved];
})(arguments[0])
"""


def test_f_order(browser, prober):
    """Whatever order the cards take they stay the same nodes, and one that
    goes elsewhere moves alone: focus stays with all others."""
    chance = random.Random(7)
    texts = ["abcdefgh", "habcdefg", "abcdefgh", "bcdefgh", "zbcdefgh"]
    texts += ["".join(chance.sample("abcdefghij", chance.randint(0, 10)))
              for _ in range(300)]
    open_page(browser, prober)
    wrong, moved = browser.js(ORDERS, texts)
    assert wrong == []
    assert moved[:5] == [0, 1, 1, 1, 0]
