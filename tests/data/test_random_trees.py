"""Whatever data set a person has: random ones are read as a person would, or rejected in one clear line.

``STRIDEDNET_FUZZ=300`` raises the number of data sets, ``STRIDEDNET_FUZZ_SEED=17`` repeats a single one.
"""

import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest
from random_trees import RandomTree

from stridednet import train
from stridednet.data.manifest import Manifest
from stridednet.data.prepare import prepare
from stridednet.data.scan import scan
from stridednet.data.tree import shown
from stridednet.errors import StridedNetError
from stridednet.settings import DataSettings

_AT_ONCE = 5
_TRAIN_EVERY = 10
_TREES = int(os.environ.get("STRIDEDNET_FUZZ", "20"))
_SEED = os.environ.get("STRIDEDNET_FUZZ_SEED")
_STARTS = [int(_SEED)] if _SEED else range(0, _TREES, _AT_ONCE)
_SMALL = {"image_size": 16, "epochs": 1, "batch_size": 4, "model.filters": [8], "model.dense_units": 8}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have all of these names")
@pytest.mark.parametrize("start", _STARTS)
def test_random_trees(start: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIDEDNET_CACHE", str(tmp_path / "cache"))
    seeds = [start] if _SEED else range(start, min(start + _AT_ONCE, _TREES))
    failures = []
    for seed in seeds:
        place = tmp_path / "place"
        place.mkdir()
        tree = RandomTree(seed, place)
        before = _snapshot(place)
        checks = [_check_scan, _check_prepare, *([_check_training] if seed % _TRAIN_EVERY == 0 else [])]
        for check in checks:
            try:
                check(tree, tmp_path / "run")
                assert _snapshot(place) == before, "the data set was changed"
                assert not list((tmp_path / "cache").glob("*/.*")), "something half written in the cache"
            except Exception as error:  # noqa: BLE001  -- each is reported with its seed
                text = " ".join(f"{type(error).__name__}: {error}".split())[:600]
                about = f"{tree.layout} {tree.packed} {tree.settings} {tree.expected.excuses}"
                failures.append(f"STRIDEDNET_FUZZ_SEED={seed}: {check.__name__}: {text}\n    {about}")
        shutil.rmtree(place)
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
    assert not failures, "\n".join(failures)


def _check_scan(tree: RandomTree, _run: Path) -> None:
    """The pictures by class and subset; files that cannot be decoded may be among them."""
    try:
        manifest = scan(tree.dataset, **tree.settings)  # type: ignore[arg-type]
    except StridedNetError as error:
        _check_message(tree, error)
        return
    found = _found(manifest)
    expected = tree.expected
    _check_classes(tree, manifest)
    for key in {key for key in found | expected.readable if key[0] in manifest.labels}:
        most = expected.readable[key] + expected.damaged[key]
        assert expected.readable[key] <= found[key] <= most, f"{key}: {found[key]} of {most}"


def _check_prepare(tree: RandomTree, _run: Path) -> None:
    """The pictures that are decoded are those that a person can open."""
    said: list[str] = []
    try:
        data = prepare(DataSettings(dataset=str(tree.dataset), **tree.settings), 16, said.append)  # type: ignore[arg-type]
    except StridedNetError as error:
        _check_message(tree, error)
        return
    assert not [line for line in said if "\n" in line or "\x07" in line]
    _check_classes(tree, data.manifest)
    wanted = Counter({key: count for key, count in tree.expected.readable.items() if key[0] in data.labels})
    assert _found(data.manifest) == +wanted, f"{_found(data.manifest)} instead of {wanted}"
    rows = sorted(row for subset in ("train", "val", "test", "unused") for row in data.split.rows(subset))
    assert rows == list(range(len(data.manifest.pictures)))


def _check_training(tree: RandomTree, run: Path) -> None:
    """A training of one epoch writes its results, or leaves nothing."""
    settings = _SMALL | {f"data.{name}": value for name, value in tree.settings.items()}
    try:
        result = train(tree.dataset, "fast", settings, out=run)
    except StridedNetError as error:
        _check_message(tree, error)
        assert not run.exists()
        return
    assert set(result.run.labels) <= tree.expected.classes
    assert (run / "report.json").is_file()


def _found(manifest: Manifest) -> Counter[tuple[str, str | None]]:
    return Counter((picture.label, picture.subset) for picture in manifest.pictures)


def _check_classes(tree: RandomTree, manifest: Manifest) -> None:
    """A class is only missing if it has no training pictures and such classes are to be skipped."""
    assert set(manifest.labels) <= tree.expected.classes, set(manifest.labels) - tree.expected.classes
    for label in tree.expected.classes - set(manifest.labels):
        assert tree.settings.get("skip_empty") or tree.packed, f"the class {label!r} is missing"
        assert not tree.expected.training(label), f"the class {label!r} has pictures"


def _check_message(tree: RandomTree, error: StridedNetError) -> None:
    """A data set is only rejected for a reason that a person accepts, which one line says."""
    text = str(error)
    assert tree.expected.excuses, f"rejected for no reason: {text}"
    assert len(text.splitlines()) == 1, repr(text)
    assert "internal error" not in text, text
    assert text == text.strip(), text
    assert text[-1] not in ":;,", text
    assert shown(tree.dataset.name) in text, text


def _snapshot(place: Path) -> dict[str, tuple[object, ...]]:
    """Return names, times, permissions and contents of everything below a folder."""
    state: dict[str, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(place):
        names = (*folders, *files) if os.access(folder, os.X_OK) else ()
        for path in (Path(folder, name) for name in names):
            found = path.lstat()
            is_file = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
            content = path.read_bytes() if is_file else path.readlink() if path.is_symlink() else None
            state[str(path)] = (found.st_mtime_ns, found.st_mode, content)
    return state
