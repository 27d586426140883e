"""A headless Chromium for tests of pages: with no network, in a profile of its own."""

import shutil
from contextlib import contextmanager
from pathlib import Path

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
        driver.set_script_timeout(60)
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
    said = WebDriverWait(driver, 60, 0.02).until(lambda driver: driver.execute_script(state))
    frame(driver)
    return said


def frame(driver):
    """Wait until what was asked for is drawn."""
    driver.execute_async_script(FRAME)


def logged(driver):
    """What the browser complained of since this was asked last."""
    return [entry["message"] for entry in driver.get_log("browser")]
