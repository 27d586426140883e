"""On a telephone the panel of a tapped job opened out of sight.

Line 20. Held by:
  tests/unit/test_page.py::test_on_a_telephone_the_panel_of_a_tapped_job_opens_in_sight_and_its_lane_stays
"""

import shutil
import sys
import tempfile
from pathlib import Path

from trying import RECORDED, bsbpool, verdict

if not shutil.which("chromium") or not shutil.which("chromedriver"):
    sys.exit("needs chromium and chromedriver")
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

bsbpool("run", RECORDED, "--ranks", 64, "--trace", "its.trace")
bsbpool("show", "its.trace", "--html", "its.html")
options = webdriver.ChromeOptions()
options.binary_location = shutil.which("chromium")
for flag in (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    f"--user-data-dir={tempfile.mkdtemp()}",
):
    options.add_argument(flag)
driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
try:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": False}
    )
    driver.get(Path("its.html").resolve().as_uri())
    canvas = driver.find_element("css selector", "#overlay")
    driver.execute_script("arguments[0].scrollIntoView()", canvas)
    for down in range(-120, 121, 12):
        webdriver.ActionChains(driver).move_to_element_with_offset(canvas, 0, down).click().perform()
        box = driver.execute_script(
            "const b = document.getElementById('panel').getBoundingClientRect(); return [b.top, b.bottom, innerHeight]"
        )
        if "job" in driver.find_element("css selector", "#panel").get_attribute("textContent").lower():
            break
finally:
    driver.quit()
verdict(
    0 < box[0] < box[1] <= box[2],
    f"the panel goes from {box[0]:.0f} to {box[1]:.0f}, and the screen has {box[2]} pixels",
)
