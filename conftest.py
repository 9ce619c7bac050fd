"""Fixtures of tests and doctests: a cache of their own, a core for each pytest-xdist worker, a folder for doctests."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stridednet.machine import cores_of_this_process, take_cores

ALL_CORES = cores_of_this_process()
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")  # such as "gw1"
_CORES = [ALL_CORES[int(_WORKER.removeprefix("gw")) % len(ALL_CORES)]] if _WORKER else ALL_CORES
if _WORKER:  # before PyTorch is loaded; threads that wait for each other on one core must not do so in a busy loop
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Use an empty cache, also in processes that a test starts. The workers of pytest-xdist share it."""
    if _WORKER:
        folder = tmp_path_factory.getbasetemp().with_name("cache")  # next to the folders of the workers
        folder.mkdir(exist_ok=True)
    else:
        folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRIDEDNET_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def own_core() -> None:
    """Keep each worker on a core of its own: two trainings with two threads each slow each other down."""
    if _WORKER:
        take_cores(_CORES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the slow tests first, so that at the end no worker waits for one; the others keep their order."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def frozen_objects() -> None:
    """Leave what the imports and the collection made to no garbage collector: 1.6 s of 10 s for a file of tests."""
    gc.freeze()


@pytest.fixture
def all_cores() -> Iterator[None]:
    """Run a test on all cores, for what happens on several of them."""
    take_cores(ALL_CORES)
    yield
    take_cores(_CORES)
    if _WORKER and (torch := sys.modules.get("torch")):
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _doctests_in_a_temporary_folder(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the examples of docstrings write files, such as ``runs/``."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(request.getfixturevalue("tmp_path"))
        yield
