"""A headless browser: Chromium by its driver, which is spoken to in JSON (https://www.w3.org/TR/webdriver2)."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

DRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    not (DRIVER and CHROMIUM), reason="no browser: apt-get install chromium chromium-driver"
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the standard's name for the handle of an element


class Browser:
    """One window. Scripts are bodies of functions; what they return comes back."""

    def __init__(self, address, options):
        self.address = address
        capabilities = {"capabilities": {"alwaysMatch": options}}
        self.session = f"/session/{self.ask('POST', '/session', capabilities)['sessionId']}"

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:  # its body says what was wrong
            raise AssertionError(f"{method} {path}: {json.load(error)['value']['message']}") from None

    def open(self, url):
        self.ask("POST", f"{self.session}/url", {"url": url})

    def run(self, script, *arguments):
        return self.ask("POST", f"{self.session}/execute/sync", {"script": script, "args": arguments})

    def find(self, selector):
        found = self.ask("POST", f"{self.session}/element", {"using": "css selector", "value": selector})
        return f"{self.session}/element/{found[_ELEMENT]}"

    def click(self, selector):
        self.ask("POST", f"{self.find(selector)}/click", {})

    def type(self, selector, text):
        self.ask("POST", f"{self.find(selector)}/value", {"text": text})

    def drag(self, selector, *places):
        """Presses the pointer at the first place, in pixels from the element's middle, and draws to the others."""
        element = {_ELEMENT: self.find(selector).rpartition("/")[2]}
        moves = [{"type": "pointerMove", "origin": element, "x": x, "y": y, "duration": 10} for x, y in places]
        actions = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        self.ask("POST", f"{self.session}/actions", {"actions": [{"type": "pointer", "id": "m", "actions": actions}]})

    def errors(self):
        """What went wrong in the page since the last call."""
        found = self.ask("POST", f"{self.session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in found if entry["level"] == "SEVERE"]

    def picture(self, path):
        path.write_bytes(base64.b64decode(self.ask("GET", f"{self.session}/screenshot")))

    def wait(self, script, seconds=300):
        """Until the script returns something true, which comes back."""
        end = time.monotonic() + seconds
        while not (found := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.1)
        return found


@contextmanager
def browser(width=1280, height=900, phone=False):
    """Chromium of this size; ``phone``: one that obeys the page's width for phones."""
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},{height}"]
    arguments += ["--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]
    options = {"binary": CHROMIUM, "args": arguments}
    if phone:
        options["mobileEmulation"] = {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1}}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    driver = subprocess.Popen([DRIVER, f"--port={port}"], **silent)
    opened = None
    try:
        _answers(port, driver)
        logged = {"goog:loggingPrefs": {"browser": "ALL"}}
        opened = Browser(f"http://127.0.0.1:{port}", {"goog:chromeOptions": options, **logged})
        yield opened
    finally:
        if opened:
            opened.ask("DELETE", opened.session)
        driver.terminate()
        driver.wait()


def _answers(port, driver, seconds=120):
    """Waits until the driver listens."""
    end = time.monotonic() + seconds
    while driver.poll() is None and time.monotonic() < end:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the browser's driver does not answer")
