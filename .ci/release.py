"""Makes the files of a release and tries them, all but uploading: docs/releasing.md says what comes before and after.

    python .ci/release.py            build them into dist/, check them, install them where there is nothing, try them
    python .ci/release.py --final    the same, for a release: the version, the changelog and the checkout must be ready

It needs the extra `release`. Of the Pythons from 3.11 on on the path, or pyenv's, the oldest and the newest get
environments of their own: both try the wheel, and the oldest tries the source distribution too.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
OLDEST = (3, 11)

#: Tests of what is installed: the examples of the README and the tutorials print what these show, each file came along,
#: the command starts.
TESTS = [("tests/unit/test_docs.py", "README or first-pool or scenario-tutorial"), ("tests/unit/test_installed.py", "")]
_WHICH = "import sys; print(*sys.version_info[:2], sys.version_info.releaselevel, sys.executable)"
_FROM = """
import sys, bsbpool, bsbpool_sim
for package in bsbpool, bsbpool_sim:
    if not package.__file__.startswith(sys.prefix):
        sys.exit(f"{package.__name__} comes from {package.__file__}")
"""


def run(*command: str | Path, folder: Path = ROOT) -> None:
    """Run a command, and end with its status if it fails."""
    print("$", *command, flush=True)
    status = subprocess.run([str(part) for part in command], cwd=folder).returncode
    if status:
        sys.exit(f"failed with status {status}")


def said(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def not_ready(version: str) -> Iterator[str]:
    """What keeps this checkout from being a release."""
    heading, state = re.search(r"^## \[([^\]]+)\] - (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE).groups()
    if Version(version).is_prerelease:
        yield f"the version is {version}: write {Version(version).base_version} into bsbpool/__init__.py"
    if heading != Version(version).base_version:
        yield f"the changelog is about {heading}, and the version is {version}"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", state):
        yield f"the changelog says {state!r} where the date of {heading} belongs, such as 2027-01-31"
    if changed := said("git", "status", "--porcelain"):
        yield f"files are not committed:\n{changed}"
    if said("git", "tag", "--list", f"v{version}"):
        yield f"there is a tag v{version} already"


def pythons() -> list[str]:
    """The oldest and the newest Python here that this project is for, once if that is the same."""
    places = ["python3", *(f"python3.{minor}" for minor in range(OLDEST[1], 31))]
    places += map(str, sorted(Path.home().glob(".pyenv/versions/*/bin/python")))
    found = {}
    for place in places:
        try:
            major, minor, level, path = said(place, "-c", _WHICH).split()
        except (OSError, ValueError):
            continue
        if (int(major), int(minor)) >= OLDEST and level == "final":
            found.setdefault((int(major), int(minor)), path)
    each = [found[version] for version in sorted(found)]
    return each[:1] + each[1:][-1:]


def try_out(python: str, file: Path) -> None:
    """Install a file where there is nothing, and try it from a folder that has nothing."""
    with tempfile.TemporaryDirectory() as name:
        elsewhere = Path(name)
        environment = elsewhere / "environment"
        run(python, "-m", "venv", environment)
        installed = environment / "bin"
        run(installed / "python", "-m", "pip", "install", "-q", file)
        run(installed / "python", "-c", _FROM, folder=elsewhere)
        run(installed / "bsbpool", "doctor", folder=elsewhere)
        run(installed / "python", "-m", "pip", "install", "-q", "pytest")
        for tests, which in TESTS:
            options = ["-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", "--rootdir", ROOT, "-k", which]
            run(installed / "pytest", *options, ROOT / tests, folder=elsewhere)


def main(arguments: list[str]) -> None:
    if arguments not in ([], ["--final"]):
        sys.exit(__doc__)
    version = said(sys.executable, "-c", "import bsbpool; print(bsbpool.__version__)")
    if arguments and (problems := [*not_ready(version)]):
        sys.exit("not ready:\n" + "\n".join(f"- {problem}" for problem in problems))
    for old in DIST.glob("bsbpool-*"):
        old.unlink()
    run(sys.executable, "-m", "hatchling", "build", "-d", DIST)
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    run(sys.executable, "-m", "check_wheel_contents", wheel)
    run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/test_packaging.py")
    oldest, *newest = pythons()
    for python, file in [(oldest, wheel), (oldest, sdist), *((each, wheel) for each in newest)]:
        print(f"\n== {file.name} with {python}", flush=True)
        try_out(python, file)
    print(f"\n{sdist.name} and {wheel.name} are in dist/ and work. docs/releasing.md says what comes next.")


if __name__ == "__main__":
    main(sys.argv[1:])
