import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stridednet.machine import cores_of_this_process, cpu_quota
from stridednet.threads import CpuTime, FreeCores, cpu_time


@pytest.mark.parametrize(
    ("cores", "used", "own", "free"),
    [
        (2, 2.0, 2.0, 2),  # all CPU time is our own
        (2, 2.0, 1.0, 1),  # another process has one core
        (2, 2.0, 1.6, 2),  # less than half a core
        (2, 2.0, 0.1, 1),  # never less than one
        (8, 8.0, 5.2, 5),
        (4, 0.1, 0.3, 4),  # rounding of the kernel: never more than there are
    ],
)
def test_free_cores_are_those_that_other_processes_did_not_use(cores: int, used: float, own: float, free: int) -> None:
    times = iter([CpuTime(100, 10), CpuTime(100 + used, 10 + own)])
    clock = iter([0.0, 0.4, 1.0])
    counted = FreeCores(cores, lambda: next(times), lambda: next(clock))
    assert counted.now() is None  # too recent
    assert counted.now() == free


def test_all_cores_are_free_where_the_cpu_time_is_unknown() -> None:
    clock = iter([0.0, 1.0])
    assert FreeCores(4, lambda: None, lambda: next(clock)).now() == 4


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs /proc/stat")
def test_cpu_time_of_another_process_is_counted() -> None:
    before = cpu_time()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"], check=True, timeout=60)
    after = cpu_time()
    assert before is not None
    assert after is not None
    assert (after.used - before.used) - (after.own - before.own) > 0.4


@pytest.mark.usefixtures("all_cores")
@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs /proc/stat")
@pytest.mark.skipif(len(cores_of_this_process()) < 2, reason="needs two cores")
def test_a_process_of_ours_uses_fewer_threads_while_others_compute() -> None:
    code = (
        "import time, torch; from stridednet.threads import claim_process, share_cores; claim_process(); "
        "most = torch.get_num_threads(); time.sleep(1); print(most, share_cores(), torch.get_num_threads())"
    )
    with _busy(len(cores_of_this_process())):
        alone = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        most, shared, actual = _run(code, alone)
        assert most > 1
        assert shared == actual == 1
        assert _run(code, alone | {"OMP_NUM_THREADS": "2"}) == [2, 2, 2]  # the user's choice


def _run(code: str, environment: dict[str, str]) -> list[int]:
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return [int(number) for number in done.stdout.split()]


@contextmanager
def _busy(count: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_quota_of_version_2_is_the_least_of_all_groups(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "cpu.max").write_text("150000 100000\n")
    (tmp_path / "a" / "b" / "cpu.max").write_text("max 100000\n")
    (tmp_path / "membership").write_text("0::/a/b\n")
    assert cpu_quota(tmp_path, tmp_path / "membership") == 1.5


def test_quota_of_version_1(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("50000\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "membership").write_text("5:memory:/x\n4:cpu,cpuacct:/docker/not-visible-here\n")
    assert cpu_quota(tmp_path, tmp_path / "membership") == 0.5
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert cpu_quota(tmp_path, tmp_path / "membership") is None


def test_no_quota_without_control_groups(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path, tmp_path / "none") is None
