"""Draws the pictures of docs/pictures: ``python tests/unit/pictures.py``. It needs Chromium, as the tests of pages do.

They show the recorded reconstructions of scenarios/recordings on simulated ranks, so that they come out the same.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import browser as browsers

from bsbpool.trace.history import History
from bsbpool.trace.page import page
from bsbpool.trace.svg import picture
from bsbpool_sim import RankErrors, simulate
from bsbpool_sim.recorded import read_recording

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = ROOT / "scenarios" / "recordings"
PICTURES = ROOT / "docs" / "pictures"


def history(name: str, ranks: int) -> History:
    """What happens when a recorded run runs on so many simulated ranks."""
    recording = read_recording(RECORDINGS / f"{name}.json")
    try:
        return History(simulate(recording.program(), ranks, script=recording.script()).trace)
    except RankErrors as errors:
        return History(errors.simulation.trace)


def main() -> None:
    failing, many = history("bsb_reconstruction_4_ranks_failing", 4), history("bsb_reconstruction_4_ranks", 128)
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "timeline.svg").write_text(picture(many), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, browsers.browser(Path(folder) / "profile") as driver:
        path = Path(folder) / "page.html"

        def shot(name: str, trace: History, title: str, *clicks: str, dark: bool = False) -> None:
            path.write_text(page(trace, title), encoding="utf-8")
            browsers.look(driver, 1180, 760, dark)
            browsers.open_page(driver, path)
            for id in clicks:
                driver.find_element("id", id).click()
                browsers.frame(driver)
            driver.save_screenshot(str(PICTURES / name))

        shot("page-failing.png", failing, "failing.trace", "next-failure")
        shot("page-critical-path.png", many, "many.trace", "critical", dark=True)
        shot("page-idle.png", many, "many.trace", "idle")
    for file in sorted(PICTURES.iterdir()):
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
