import hashlib
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import stridednet
from conftest import ON_JAX, SMALL, Command, copy_digits
from stridednet.errors import RunError
from stridednet.executor.compiled.library import load_library
from stridednet.recipe import Recipe, load_recipe
from stridednet.run import Run
from stridednet.training.history import EpochRow, from_csv
from stridednet.training.observer import Observer
from warm import CAN_FORK


def without_seconds(history: list[EpochRow]) -> list[tuple[float, ...]]:
    return [
        (r.epoch, r.loss, r.accuracy, r.val_loss, r.val_accuracy, r.learning_rate, r.steps, r.images) for r in history
    ]


def weights(run: Path) -> list[np.ndarray]:
    import keras

    weights: list[np.ndarray] = keras.models.load_model(run / "model.keras").get_weights()
    return weights


def assert_same_result(run: Path, other: Path) -> None:
    histories = [from_csv((folder / "history.csv").read_text()) for folder in (run, other)]
    assert without_seconds(histories[0]) == without_seconds(histories[1])
    assert all(np.array_equal(a, b) for a, b in zip(weights(run), weights(other), strict=True))
    for name in ("plot.png", "report.txt", "labels.txt", "split.csv"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def pictures(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_digits(digits, tmp_path_factory.mktemp("pipeline") / "few", "012", 40)


@pytest.fixture(scope="module")
def finished(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was never interrupted."""
    out = tmp_path_factory.mktemp("finished") / "run"
    before = snapshot(pictures)
    stridednet.train(pictures, "tutorial", settings=SMALL, out=out, plot=out.with_suffix(".svg"))
    assert snapshot(pictures) == before, "the data set is never touched"
    return out


def test_the_run_directory_is_complete(finished: Path, pictures: Path) -> None:
    assert sorted(path.name for path in finished.iterdir()) == [
        "README.md", "checkpoint", "history.csv", "labels.txt", "model.keras", "plot.png", "predict.npz", "recipe.toml",
        "report.html", "report.json", "report.txt", "split.csv",
    ]  # fmt: skip
    assert sorted(path.name for path in (finished / "checkpoint").iterdir()) == ["data_hash.txt", "state.npz"]
    assert finished.with_suffix(".svg").is_file()
    assert (finished / "labels.txt").read_text() == "0\n1\n2\n"
    split = (finished / "split.csv").read_text().splitlines()
    assert split[0] == "path,label,subset,sha256"
    assert len(split) == 121
    for path, _, _, digest in (line.split(",") for line in split[1:]):
        assert hashlib.sha256((pictures / path).read_bytes()).hexdigest() == digest
    recipe, _ = load_recipe(finished / "recipe.toml")
    assert recipe == Recipe().replace(SMALL | {"data.dataset": str(pictures.resolve())})


def test_every_epoch_makes_every_step(finished: Path) -> None:
    history = from_csv((finished / "history.csv").read_text())
    # 120 images, a quarter for test: 90 are 5 steps of 16.
    assert [(row.epoch, row.steps, row.images) for row in history] == [(1, 5, 80), (2, 5, 80), (3, 5, 80)]
    expected = [0.002 / (1 + 1e-4 / 3 * 5 * epoch) for epoch in (1, 2, 3)]
    assert [row.learning_rate for row in history] == pytest.approx(expected, rel=1e-6)
    assert history[-1].loss < history[0].loss


def test_the_report_holds_every_number(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text())
    assert report["data"]["images"] == {"train": 90, "val": 0, "test": 30}
    assert report["report"]["support"] == 30
    assert report["training"]["images"] == 240
    assert report["training"]["precision"] == "float32"
    parts = ["batch normalization", "dropout masks", "optimizer"] if load_library().library else []
    assert report["training"]["compiled"] == parts
    assert (report["curve_on"], report["report_on"]) == ("test", "test")
    assert {"python", "keras", "torch", "stridednet"} <= report["versions"].keys()
    assert report["device"]["cores"] >= 1
    # The last epoch's validation and the report are of the same images and the same weights.
    history = from_csv((finished / "history.csv").read_text())
    assert report["report"]["accuracy"] == pytest.approx(history[-1].val_accuracy)
    assert f"{report['report']['accuracy']:.2f}" in (finished / "report.txt").read_text()


def test_the_page_and_the_model_card_are_of_this_run(finished: Path) -> None:
    report = json.loads((finished / "report.json").read_text())
    sentence = f"{report['report']['accuracy']:.1%} of 30 test pictures are classified correctly"
    for name in ("report.html", "README.md"):
        assert sentence in (finished / name).read_text(), name
    tested = [
        line.split(",")[0] for line in (finished / "split.csv").read_text().splitlines() if line.endswith(",test")
    ]
    page = (finished / "report.html").read_text()
    assert [path for path in tested if path in page] == tested


PLAIN_KERAS = """
import sys
import keras, numpy as np
model = keras.models.load_model(sys.argv[1])
pixels = np.load(sys.argv[2])
assert pixels.dtype == np.uint8
assert keras.backend.backend() == "jax" and "stridednet" not in sys.modules
np.save(sys.argv[3], model.predict(pixels, verbose=0))
"""


def test_the_model_opens_in_plain_keras_and_takes_raw_pixels(finished: Path, pictures: Path, tmp_path: Path) -> None:
    from stridednet.data.decode import decode

    rows = [row for row in Run.open(finished).split if row.subset == "test"]
    np.save(tmp_path / "pixels.npy", np.stack([decode(pictures / row.path, 20) for row in rows]))
    subprocess.run(
        [sys.executable, "-c", PLAIN_KERAS, finished / "model.keras", tmp_path / "pixels.npy", tmp_path / "out.npy"],
        env=ON_JAX | {"HOME": str(tmp_path)},
        check=True,
        capture_output=True,
    )
    probabilities = np.load(tmp_path / "out.npy")
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(30), abs=1e-5)
    right = [str(guess) == row.label for guess, row in zip(probabilities.argmax(axis=1), rows, strict=True)]
    report = json.loads((finished / "report.json").read_text())
    assert np.mean(right) == pytest.approx(report["report"]["accuracy"])


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    finished: Path, pictures: Path, tmp_path: Path
) -> None:
    stridednet.train(pictures, "tutorial", settings=SMALL, out=tmp_path / "same")
    assert_same_result(finished, tmp_path / "same")
    rough = SMALL | {"precision": "bfloat16"}
    for name in ("rough", "as_rough"):
        stridednet.train(pictures, "tutorial", settings=rough, out=tmp_path / name)
    assert_same_result(tmp_path / "rough", tmp_path / "as_rough")
    other = stridednet.train(pictures, "tutorial", settings=SMALL | {"seed": 1}, out=tmp_path / "other")
    assert without_seconds(other.history) != without_seconds(from_csv((finished / "history.csv").read_text()))
    assert (tmp_path / "other" / "split.csv").read_bytes() == (finished / "split.csv").read_bytes()


def test_validating_less_often_changes_nothing_else(finished: Path, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(
            pictures, "tutorial", settings=SMALL | {"validation_freq": 2}, out=run, observer=_StopsInEpoch(3)
        )
    stridednet.resume(run)
    every = from_csv((finished / "history.csv").read_text())
    some = from_csv((run / "history.csv").read_text())
    assert [row.val_accuracy for row in some] == [None, every[1].val_accuracy, every[2].val_accuracy]
    assert [row.val_loss for row in some] == [None, every[1].val_loss, every[2].val_loss]
    assert [(row.loss, row.accuracy) for row in some] == [(row.loss, row.accuracy) for row in every]
    assert (run / "report.txt").read_text() == (finished / "report.txt").read_text()


class _StopsInEpoch(Observer):
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.saved: list[tuple[int, Path]] = []

    def on_interrupt(self, epochs: int, folder: Path) -> None:
        self.saved.append((epochs, folder))

    def on_step(self, epoch: int, step: int, *_: object) -> None:
        if (epoch, step) == (self.epoch, 3):
            raise KeyboardInterrupt


@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(
    finished: Path, pictures: Path, tmp_path: Path, epoch: int
) -> None:
    observer = _StopsInEpoch(epoch)
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(pictures, "tutorial", settings=SMALL, out=tmp_path / "run", observer=observer)
    run = tmp_path / "run"
    assert observer.saved == [(epoch - 1, run)]
    assert not (tmp_path / "run" / "model.keras").exists()
    stridednet.resume(tmp_path / "run")
    assert_same_result(finished, tmp_path / "run")
    with pytest.raises(RunError, match="is already finished"):
        stridednet.resume(tmp_path / "run")


def test_a_run_that_lacks_only_its_report_is_finished(finished: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    missing = ("report.json", "report.txt", "model.keras", "plot.png", "report.html", "README.md")
    for name in missing:
        (run / name).unlink()
    stridednet.resume(run, plot=tmp_path / "figure.png")
    assert_same_result(finished, run)
    assert (run / "history.csv").read_bytes() == (finished / "history.csv").read_bytes()
    assert (tmp_path / "figure.png").read_bytes() == (finished / "plot.png").read_bytes()
    for name in ("report.html", "README.md"):
        assert (run / name).read_bytes() == (finished / name).read_bytes(), name


def test_a_changed_data_set_is_not_gone_on_with(digits: Path, tmp_path: Path) -> None:
    pictures = copy_digits(digits, tmp_path / "few", "01", 40)
    with pytest.raises(KeyboardInterrupt):
        stridednet.train(pictures, "tutorial", settings=SMALL, out=tmp_path / "run", observer=_StopsInEpoch(2))
    next((pictures / "0").iterdir()).unlink()
    with pytest.raises(RunError, match=r"few has changed since the run .*run was started; start a new run"):
        stridednet.resume(tmp_path / "run")


FILLS_UP = """
import json, resource, sys, time
from pathlib import Path
import stridednet
from stridednet.training.observer import Observer

class DiskFillsUp(Observer):
    def on_interrupt(self, epochs, folder): print(epochs, "saved in", folder)
    def on_step(self, epoch, step, scores):
        if (epoch, step) != (2, 1): return
        while not Path(sys.argv[3], "history.csv").exists(): time.sleep(0.01)  # written after the first checkpoint
        # From now on the operating system refuses to write more than this to any file.
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
    def on_epoch(self, row): print("finished", row.epoch)

try:
    stridednet.train(sys.argv[1], "tutorial", settings=json.loads(sys.argv[2]), out=sys.argv[3], observer=DiskFillsUp())
except stridednet.StridedNetError as error:
    print(type(error).__name__, error)
finally:  # the coverage of this process is written too
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


def test_a_full_disk_keeps_the_last_checkpoint(
    finished: Path, pictures: Path, tmp_path: Path, warm_python: Command
) -> None:
    pytest.importorskip("resource", reason="needs a limit on the size of files")
    out = tmp_path / "run"
    done = warm_python(FILLS_UP, pictures, json.dumps(SMALL), out)
    assert done.returncode == 0, done.stderr
    assert f"finished 1\nfinished 2\n1 saved in {out}" in done.stdout
    assert f"StorageError cannot write {out / 'checkpoint' / 'state.npz'}: File too large" in done.stdout
    assert sorted(path.name for path in (out / "checkpoint").iterdir()) == ["data_hash.txt", "state.npz"]
    checkpoint = Run.unfinished(out).load_checkpoint()
    assert checkpoint is not None
    assert len(checkpoint.history) == 1
    stridednet.resume(out)
    assert_same_result(finished, out)


IS_KILLED = """
import itertools, json, os, signal, sys, threading
import stridednet

complete, number = os.fsync, itertools.count(1)

def fsync(file):
    # Files of a checkpoint are written in the background: its state, then the history.
    if threading.current_thread() is not threading.main_thread() and next(number) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
    complete(file)

os.fsync = fsync
stridednet.train(sys.argv[1], "tutorial", settings=json.loads(sys.argv[2]), out=sys.argv[3])
"""


@pytest.mark.skipif(not CAN_FORK, reason="needs SIGKILL")
@pytest.mark.parametrize(
    ("file", "saved", "in_history"),
    [(1, 0, 0), (3, 1, 1), (4, 2, 1)],
    ids=["the first state", "a later state", "the history after a state"],
)
def test_a_run_killed_while_it_writes_a_checkpoint(
    finished: Path, pictures: Path, tmp_path: Path, warm_python: Command, file: int, saved: int, in_history: int
) -> None:
    out = tmp_path / "run"
    done = warm_python(IS_KILLED, pictures, json.dumps(SMALL), out, str(file))
    assert done.returncode == -signal.SIGKILL
    checkpoint = Run.unfinished(out).load_checkpoint()
    assert (0 if checkpoint is None else len(checkpoint.history)) == saved
    written = out / "history.csv"
    assert (len(from_csv(written.read_text())) if written.exists() else 0) == in_history
    stridednet.resume(out)
    assert_same_result(finished, out)
    assert [path.name for path in out.rglob(".partial*")] == []
