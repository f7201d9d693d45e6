"""
page_cost.py: the page at /topology with hundreds of clusters of three.

    tests/install build check lab slow
    PATROUTE_BUILD=BUILD /usr/bin/python3 tests/bench/page_cost.py \
        [-n CLUSTERS] [-o FOLDER]

The site is prober_cost.py's, in a network namespace of its own, with a real
prober and a headless Chromium. A JSON line says how large the answers are, how
long the page takes to redraw while it is used (all steady; without a DCS, all
troubled; one cluster open; a filter typed), and whether each bound is kept;
FOLDER gets a picture of each.
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


def size_of(query):
    with urllib.request.urlopen(URL + query) as r:
        return len(r.read())


class Page:
    def __init__(self, browser, folder):
        self.browser, self.folder, self.drawn = browser, folder, {}

    def redraws(self, what, seconds=6):
        """How long the longest takes in those seconds."""
        self.browser.js("""window.drawn = [];
            new MutationObserver(() => drawn.push(parseFloat(
                document.documentElement.dataset.drawMs))).observe(
                document.documentElement, {attributeFilter: ['data-draw-ms']})
            """)
        time.sleep(seconds)
        self.drawn[what] = max(self.browser.js("return drawn"))
        if self.folder:
            self.browser.shot(self.folder / f"many-{what}.png", whole=False)

    def cards(self):
        return self.browser.js(
            "return document.querySelectorAll('.card').length")


def use(page, etcd, clusters):
    """All that a reader does with it; `etcd` is killed in the end."""
    b = page.browser
    b.open(URL)
    cost.wait_until(lambda: page.cards() == clusters, "a card each")
    page.redraws("steady")
    b.js("document.querySelector('[data-open]').click()")
    cost.wait_until(lambda: b.js(
        "return document.querySelectorAll('.member').length") == 3, "one open")
    page.redraws("open")
    b.js("scrollTo(0, 0)")
    b.driver.find_element("id", "filter").send_keys(f"c{clusters}")
    cost.wait_until(lambda: page.cards() == 1, "one found")
    page.redraws("filter", 2)
    b.driver.find_element("id", "filter").clear()
    b.size(*PHONE)
    page.redraws("phone", 2)
    b.size(*DESKTOP)
    etcd.kill()
    cost.wait_until(lambda: b.js("return document.querySelectorAll("
                                 "'.card.warn, .card.bad').length")
                    == clusters, "all are troubled")
    page.redraws("troubled")


def measure(parts, clusters, folder):
    cost.start_etcd(parts)
    keys = cost.Keys(clusters, False)
    keys.first()
    cost.Site(parts, clusters, False)
    cost.write_conf(parts, clusters, False)
    cost.start_haproxy(parts, "haproxy", clusters)
    conf = parts.folder / "patroute.conf"
    parts.start("prober", cost.BUILD / "prober/patroute-prober", "-c", conf)
    cost.wait_until(cost.is_healthy, "healthz 200", 150)
    parts.start("agent", cost.BUILD / "spoa/patroute-spoa", "-c", conf)
    time.sleep(cost.SETTLE_S)
    sizes = {q: size_of(q) for q in ("", "?summary=1", "?cluster=c1")}
    with Browser(parts.folder) as browser:
        page = Page(browser, folder)
        use(page, parts.running[0], clusters)
    return {"clusters": clusters, "bytes": sizes, "redraw_ms": page.drawn,
            "met": max(page.drawn.values()) <= DRAW_MS and
            sizes["?summary=1"] + sizes["?cluster=c1"] <= BYTES_S}


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
    sys.exit(not row["met"])


if __name__ == "__main__":
    main()
