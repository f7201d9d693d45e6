"""
page_cost.py: the page at /topology with hundreds of clusters of three.

    tests/install build check lab slow
    PATROUTE_BUILD=BUILD /usr/bin/python3 tests/bench/page_cost.py \
        [-n CLUSTERS] [-o FOLDER]

The site is prober_cost.py's, in a network namespace of its own, with a real
prober and a headless Chromium. A JSON line says what it costs, and whether each
bound is kept:

  bytes      how large the answers are
  first_ms   from opening it to its first paint, and to a card of each cluster
  redraw_ms  the longest redraw, by its script, while it is used (all steady;
             one cluster open; a filter typed; on a phone; without a DCS, all
             troubled at once)
  task_ms    the longest task of the browser's page, which a redraw's layout
             and painting belong to, and reading an answer; 0: none took 50 ms
  wire       bytes a second to one page, all steady
  prober     % of a core that the prober takes without a page, with one and
             with five open

FOLDER gets a picture of each state.
"""
import argparse
import json
import os
import pathlib
import resource
import sys
import tempfile
import time
import urllib.request

import prober_cost as cost

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from browser import DESKTOP, PHONE, Browser  # noqa: E402

URL = f"http://127.0.0.1:{cost.PROBER}/topology"
DRAW_MS, BYTES_S = 100, 1 << 20
PAGES = 5
STEADY_S = 10

# Runs before the page's own scripts: what they do is seen from the first on.
WATCH = """
window.drawn = []; window.tasks = []; window.cards_ms = null;
new PerformanceObserver((l) => tasks.push(...l.getEntries().map(
    (e) => e.duration))).observe({type: 'longtask', buffered: true});
performance.setResourceTimingBufferSize(100000);
const root = new MutationObserver(() => {
    drawn.push(parseFloat(document.documentElement.dataset.drawMs));
    if (cards_ms === null && document.querySelector('.card'))
        cards_ms = performance.now();
});
root.observe(document, {attributeFilter: ['data-draw-ms'], subtree: true});
"""


def size_of(query):
    with urllib.request.urlopen(URL + query) as r:
        return len(r.read())


class Page:
    def __init__(self, browser, folder):
        self.browser, self.folder = browser, folder
        self.drawn, self.tasks = {}, {}
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=WATCH)

    def begin(self):
        self.browser.js("drawn.length = tasks.length = 0")

    def end(self, what):
        """How long the longest took since begin()."""
        time.sleep(0.1)
        drawn, tasks = self.browser.js("return [drawn, tasks]")
        self.drawn[what] = max(drawn)
        self.tasks[what] = round(max([0, *tasks]), 1)
        if self.folder:
            self.browser.shot(self.folder / f"many-{what}.png", whole=False)

    def redraws(self, what, seconds=6):
        self.begin()
        time.sleep(seconds)
        self.end(what)

    def cards(self):
        return self.browser.js(
            "return document.querySelectorAll('.card').length")

    def first(self):
        return self.browser.js(
            "return {paint: Math.round(performance.getEntriesByName("
            "'first-contentful-paint')[0].startTime), "
            "cards: Math.round(cards_ms)}")

    def wire(self):
        """Bytes that came, headers too; not the stream of events."""
        return self.browser.js(
            "return performance.getEntriesByType('resource')"
            ".reduce((n, e) => n + e.transferSize, 0)")


def type_a_filter(page, clusters):
    b = page.browser
    b.js("scrollTo(0, 0)")
    page.begin()
    b.driver.find_element("id", "filter").send_keys(f"c{clusters}")
    cost.wait_until(lambda: page.cards() == 1, "one found")
    b.driver.find_element("id", "filter").clear()
    cost.wait_until(lambda: page.cards() == clusters, "all found again")
    page.end("filter")


def use(page, lose_dcs, clusters):
    """All that a reader does with it; the DCS is lost in the end."""
    b = page.browser
    page.redraws("steady")
    page.begin()
    b.js("document.querySelector('[data-open]').click()")
    cost.wait_until(lambda: b.js(
        "return document.querySelectorAll('.member').length") == 3, "one open")
    time.sleep(5)
    page.end("open")
    type_a_filter(page, clusters)
    b.size(*PHONE)
    page.redraws("phone", 3)
    b.size(*DESKTOP)
    page.begin()
    lose_dcs()
    cost.wait_until(lambda: b.js("return document.querySelectorAll("
                                 "'.card.warn, .card.bad').length")
                    == clusters, "all are troubled")
    time.sleep(5)
    page.end("troubled")


def cpu_s(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text()
               .split()[0]) / 1e9


def share_of(pid):
    """% of a core over STEADY_S."""
    then, began = cpu_s(pid), time.monotonic()
    time.sleep(STEADY_S)
    return round((cpu_s(pid) - then) / (time.monotonic() - began) * 100, 1)


def open_page(page, clusters):
    page.browser.open(URL)
    cost.wait_until(lambda: page.cards() == clusters, "a card each")


def pages_open(page, pid, clusters):
    """With one page, which is there, and with PAGES. (A tab that nobody sees
    would ask more seldom; each has a window of its own.)"""
    driver = page.browser.driver
    shares = {"1": share_of(pid)}
    first = driver.current_window_handle
    for _ in range(PAGES - 1):
        driver.switch_to.new_window("window")
        open_page(page, clusters)
    time.sleep(2)
    shares[str(PAGES)] = share_of(pid)
    for handle in driver.window_handles:
        driver.switch_to.window(handle)
        if page.browser.js("return document.hidden"):
            raise RuntimeError("a window is hidden: it asks less")
        if handle != first:
            driver.close()
    driver.switch_to.window(first)
    return shares


def look(parts, prober, clusters, folder, lose_dcs):
    sizes = {q: size_of(q) for q in ("", "?summary=1", "?cluster=c1")}
    prober_share = {"0": share_of(prober.pid)}
    with Browser(parts.folder) as browser:
        page = Page(browser, folder)
        open_page(page, clusters)
        first = page.first()
        prober_share |= pages_open(page, prober.pid, clusters)
        open_page(page, clusters)
        was = page.wire()
        time.sleep(STEADY_S)
        wire = round((page.wire() - was) / STEADY_S)
        use(page, lose_dcs, clusters)
    return {"clusters": clusters, "bytes": sizes, "first_ms": first,
            "redraw_ms": page.drawn, "task_ms": page.tasks, "wire": wire,
            "prober": prober_share,
            "load_average": round(os.getloadavg()[0], 2),
            "met": {"redraw": max(page.drawn.values()) <= DRAW_MS,
                    "task": max(page.tasks.values()) <= DRAW_MS,
                    "wire": wire <= BYTES_S}}


def measure(parts, clusters, folder):
    cost.start_etcd(parts)
    etcd = parts.running[0]
    keys = cost.Keys(clusters, False)
    keys.first()
    keys.thread.start()

    def lose_dcs():
        keys.done.set()
        keys.thread.join()
        etcd.kill()

    cost.Site(parts, clusters, False)
    cost.write_conf(parts, clusters, False)
    cost.start_haproxy(parts, "haproxy", clusters)
    conf = parts.folder / "patroute.conf"
    prober = parts.start("prober", cost.BUILD / "prober/patroute-prober",
                         "-c", conf)
    cost.wait_until(cost.is_healthy, "healthz 200", 150)
    parts.start("agent", cost.BUILD / "spoa/patroute-spoa", "-c", conf)
    time.sleep(cost.SETTLE_S)
    return look(parts, prober, clusters, folder, lose_dcs)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("-n", type=int, default=300, help="clusters")
    p.add_argument("-o", "--folder", type=pathlib.Path)
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    o = p.parse_args()
    if not o.inside:
        os.execvp("unshare", [
            "unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"',
            "sh", sys.executable, __file__, *sys.argv[1:], "--inside"])
    if o.folder:
        o.folder.mkdir(parents=True, exist_ok=True)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65536), most))
    with tempfile.TemporaryDirectory(prefix="patroute-page-") as folder:
        pathlib.Path(folder).chmod(0o777)
        parts = cost.Parts(pathlib.Path(folder))
        try:
            row = measure(parts, o.n, o.folder)
        finally:
            parts.end()
    print(json.dumps(row), flush=True)
    sys.exit(not all(row["met"].values()))


if __name__ == "__main__":
    main()
