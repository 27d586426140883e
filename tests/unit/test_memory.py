"""How much memory there is, as the system tells it."""

import pytest

from bsbpool.worlds.memory import memory_available, memory_taken


@pytest.fixture
def machine(tmp_path):
    """Writes what Linux tells of the machine's memory, and of a container's."""
    info, group = tmp_path / "meminfo", tmp_path / "cgroup"
    info.write_text("MemTotal:  9 kB\nMemAvailable:   4000 kB\n", encoding="utf-8")
    group.mkdir()

    def limit(most, taken, files=0):
        for name, text in (("memory.max", most), ("memory.current", taken)):
            (group / name).write_text(f"{text}\n", encoding="utf-8")
        (group / "memory.stat").write_text(f"anon 1\ninactive_file {files}\n", encoding="utf-8")

    return str(info), str(group), limit


def test_the_machine_tells_what_is_free(machine):
    info, group, limit = machine
    assert memory_available(info, group) == 4_096_000
    limit("max", 5)
    assert memory_available(info, group) == 4_096_000


def test_a_container_may_have_less_and_can_give_up_files(machine):
    info, group, limit = machine
    limit(3_000_000, 2_500_000, 200_000)
    assert memory_available(info, group) == 700_000
    limit(3_000_000, 3_500_000)
    assert memory_available(info, group) == 0


def test_a_system_that_tells_nothing_is_one_without_limit(tmp_path):
    nothing = str(tmp_path / "nothing")
    assert memory_available(nothing, nothing) is None
    assert memory_taken(nothing) == 0
    (tmp_path / "other").write_text("Other: 1\n", encoding="utf-8")
    assert memory_available(str(tmp_path / "other"), nothing) is None


def test_this_process_takes_some():
    assert memory_taken() > 1_000_000
