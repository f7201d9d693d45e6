"""
A headless Chromium for the page at /topology, and a way to it into a lab: a
socket that is made within a host's network works from outside of it too.
"""
import base64
import contextlib
import socket
import threading

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

DESKTOP, PHONE = (1280, 900), (320, 640)


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


class Tunnel:
    """A port of this machine's loopback that leads to one of a host's."""

    def __init__(self, lab, host, port):
        self.lab, self.host, self.to = lab, host, port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self.join, args=(near,),
                                 daemon=True).start()

    def join(self, near):
        try:
            with self.lab.inside(self.host):
                far = socket.create_connection(("127.0.0.1", self.to), 5)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        threading.Thread(target=pump, args=(far, near), daemon=True).start()
        pump(near, far)

    def close(self):
        self.listener.close()


class Browser:
    """Chromium without a window. `with Browser(folder) as b: b.open(url)`."""

    def __init__(self, folder):
        options = Options()
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu",
                         "--hide-scrollbars", "--disable-dev-shm-usage",
                         "--no-proxy-server",
                         f"--user-data-dir={folder}/chromium"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.binary_location = "/usr/bin/chromium"
        self.driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options)
        # Less than the driver's own five minutes: a busy machine's seconds.
        self.driver.set_page_load_timeout(60)
        self.size(*DESKTOP)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.driver.quit()

    def open(self, url):
        self.driver.get(url)

    def js(self, script, *args):
        return self.driver.execute_script(script, *args)

    def cdp(self, what, **how):
        return self.driver.execute_cdp_cmd(what, how)

    def size(self, width, height):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width,
                 height=height, deviceScaleFactor=1, mobile=width < 500)

    def media(self, scheme="light", motion="no-preference"):
        self.cdp("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": motion}])

    def complaints(self):
        """What the console was told: errors, breaches of the policy."""
        return [line["message"] for line in self.driver.get_log("browser")
                if line["level"] == "SEVERE"]

    def shot(self, path, whole=True):
        """A PNG, of all of the page or of what the window shows."""
        data = self.cdp("Page.captureScreenshot", format="png",
                        captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
