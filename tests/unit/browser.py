"""A headless Chromium for tests of pages, in a profile of its own, and a trace that is large enough to be one."""

import shutil
from contextlib import contextmanager
from pathlib import Path

from bsbpool.facts import Raised
from bsbpool.trace import Trace

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.ui import WebDriverWait
except ImportError:
    webdriver = None

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
FRAME = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"


def missing():
    """Why there is no browser here; None if there is one."""
    if webdriver is None:
        return "needs selenium (pip install -e '.[test]')"
    for name in ("chromium", "chromedriver"):
        if shutil.which(name) is None:
            return f"needs {name} (apt-get install chromium chromium-driver)"
    return None


@contextmanager
def browser(profile: Path):
    """A browser with an empty profile; what it logs can be read with `logged`."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        driver.set_script_timeout(300)
        yield driver
    finally:
        driver.quit()


def look(driver, width=1280, height=800, dark=False, scale=1):
    """How large the window is, and what the system prefers."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False},
    )
    feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


def open_page(driver, path: Path):
    """Open a page, and wait until it says that it is ready, or why it is not. Returns what it says."""
    logged(driver)
    driver.get(path.resolve().as_uri())
    state = "return document.documentElement.dataset.ready"
    said = until(driver, lambda: driver.execute_script(state))
    frame(driver)
    return said


def until(driver, happens):
    """Wait until something has happened; gives what `happens` says then."""
    return WebDriverWait(driver, 300, 0.02).until(lambda _: happens())


def frame(driver):
    """Wait until what was asked for is drawn."""
    driver.execute_async_script(FRAME)


def logged(driver):
    """What the browser complained of since this was asked last."""
    return [entry["message"] for entry in driver.get_log("browser")]


#: Zooms and pans for 60 frames. Gives what drawing each took, and what was between them, in milliseconds.
PAN_AND_ZOOM = """
const done = arguments[0], gaps = [];
let count = 0, before = 0;
bsbpool.frames.base.length = 0;
function tick(now) {
  if (before) gaps.push(now - before);
  before = now;
  if (count++ === 60) return done({drawn: bsbpool.frames.base.slice(2), gaps});
  count < 30 ? bsbpool.zoom(.93) : bsbpool.move(.03);
  requestAnimationFrame(tick);
}
requestAnimationFrame(tick);
"""


def large(jobs, ranks, names=8):
    """A trace of so many jobs, each with a context and two dependencies, on so many ranks."""
    trace = Trace({"ranks": ranks, "hosts": ["simulated"], "simulated": True})
    trace.append(("pool", 0, 1, ranks, False, ["main"]))
    for job in range(jobs):
        deps = [job - 2 * ranks, job - 2 * ranks - 7] if job > 2 * ranks + 7 else []
        name, context = f"connectivity.strategy_{job * names // jobs}", {"chunk": [job % 7, job % 11, job % 13]}
        trace.append(("job", 0, 1, job, "FunctionJob", name, context, deps, [job % 97]))
    takes = [1_000_000 + job * 7919 % 3_000_017 for job in range(jobs)]
    free = [0] * ranks
    for job in range(jobs):
        rank = 1 + job % (ranks - 1)
        begin, end = free[rank] + 20_000, free[rank] + 20_000 + takes[job]
        status = "failed" if job % 1999 == 1998 else "success"
        error = Raised("ValueError", "bad chunk") if status == "failed" else None
        trace.append(("status", free[rank], 1, job, "queued", None, None))
        trace.append(("status", free[rank], 1, job, "running", rank, None))
        trace.append(("message", end + 5_000, 1, rank, job, begin, end))
        trace.append(("status", end + 5_000, 1, job, status, rank, error))
        free[rank] = end + 5_000
    trace.append(("end", max(free), 1, None))
    return trace
