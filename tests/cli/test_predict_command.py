"""``stridednet predict`` on real processes: formats, inputs, exit statuses, and what it imports."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from conftest import SMALL, Command, copy_digits
from stridednet.data.decode import decode
from stridednet.pipeline import train
from stridednet.run import Run
from warm import STRIDEDNET

_TIMEOUT = 60  # seconds, after which a process that waits forever is killed


@pytest.fixture(scope="module")
def run(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a short training on three digits."""
    folder = tmp_path_factory.mktemp("predict")
    return train(copy_digits(digits, folder / "data", "012", 40), "accurate", settings=SMALL, out=folder / "run").run


@pytest.fixture
def pictures(digits: Path, tmp_path: Path) -> Path:
    """Return a folder of two classes with three pictures each, which the training did not use."""
    return copy_digits(digits, tmp_path / "pictures", "01", 3, skip=100)


def _expected(run: Run, path: Path) -> dict[str, float]:
    """Return the probabilities by Keras itself."""
    outputs = run.model().predict(decode(path, 20)[None].astype(np.float32), verbose=0)[0]
    return dict(zip(run.labels, map(float, outputs), strict=True))


def _rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_have_the_probabilities_of_keras(run: Run, pictures: Path, main_command: Command) -> None:
    done = main_command("predict", run.folder, "pictures", "--json", "--topk", "9")
    assert (done.returncode, done.stderr) == (0, "")
    rows = _rows(done.stdout)
    assert [row["path"] for row in rows] == [
        f"pictures/{path.parent.name}/{path.name}" for path in sorted(pictures.glob("*/*"))
    ]
    for row in rows:
        expected = _expected(run, pictures.parent / row["path"])
        found = {item["label"]: item["probability"] for item in row["top"]}
        assert found == pytest.approx(expected, abs=1e-5)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert (row["label"], row["probability"]) == (row["top"][0]["label"], row["top"][0]["probability"])


def test_csv_has_the_same_numbers(run: Run, pictures: Path, main_command: Command) -> None:
    rows = _rows(main_command("predict", run.folder, pictures, "--json", "--topk", "2").stdout)
    done = main_command("predict", run.folder, pictures, "--csv", "--topk", "2")
    table = list(csv.DictReader(io.StringIO(done.stdout)))
    assert done.stdout.startswith("path,label,probability,label_2,probability_2\n")
    assert [
        (row["path"], row["label"], float(row["probability"]), row["label_2"], float(row["probability_2"]))
        for row in table
    ] == [(row["path"], *(item[key] for item in row["top"] for key in ("label", "probability"))) for row in rows]


def test_the_table_lists_three_classes_by_default(run: Run, pictures: Path, main_command: Command) -> None:
    picture = next(pictures.glob("0/*"))
    header, line = main_command("predict", run.folder, picture).stdout.splitlines()
    assert header.split() == ["picture", "label", "probability", "followed", "by"]
    (row,) = _rows(main_command("predict", run.folder, picture, "--json").stdout)
    cells = [str(picture), *(text for item in row["top"] for text in (item["label"], f"{item['probability']:.4f}"))]
    assert line.split() == cells
    one = main_command("predict", run.folder, picture, "--topk", "1").stdout.splitlines()
    assert one[1].split() == cells[:3]


def test_few_pictures_need_neither_pytorch_nor_keras(run: Run, pictures: Path) -> None:
    code = (
        "import sys; from stridednet.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'keras', 'sklearn', 'matplotlib', 'scipy', 'rich.progress', 'cleanlab'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    arguments = ["predict", str(run.folder), str(pictures), "--json"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.count('"path"') == 6
    assert "HEAVY []" in done.stdout


def test_keras_gives_the_same_results(run: Run, pictures: Path, tmp_path: Path, main_command: Command) -> None:
    older, other = tmp_path / "older", tmp_path / "other"
    shutil.copytree(run.folder, older)
    (older / "predict.npz").unlink()
    shutil.copytree(run.folder, other)
    (other / "model.keras").write_bytes((run.folder / "model.keras").read_bytes() + b"\0")
    usual, by_keras, changed = (
        main_command("predict", folder, pictures, "--json", "--topk", "3", "--trust", folder)
        for folder in (run.folder, older, other)
    )
    assert usual.stderr == by_keras.stderr == ""
    assert (
        changed.stderr
        == "note: predict.npz is damaged or was not made from this model.keras, which is loaded instead\n"
    )
    for row, *others in zip(*map(_rows, (usual.stdout, by_keras.stdout, changed.stdout)), strict=True):
        expected = {item["label"]: item["probability"] for item in row["top"]}
        for other_row in others:
            assert other_row["path"] == row["path"]
            found = {item["label"]: item["probability"] for item in other_row["top"]}
            assert found == pytest.approx(expected, abs=2e-6)


def test_a_replaced_model_is_the_one_that_answers(
    run: Run, pictures: Path, tmp_path: Path, main_command: Command
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(run.folder, changed)
    model = run.model()
    *_, bias = model.layers[-1].variables
    bias.assign(np.array([50.0, 0.0, 0.0], np.float32))
    (changed / "model.keras").unlink()
    model.save(changed / "model.keras")
    refused = main_command("predict", changed, pictures, "--json")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "model.keras was changed after the training" in refused.stderr
    rows = _rows(main_command("predict", changed, pictures, "--json", "--trust", changed).stdout)
    assert {(row["label"], row["probability"]) for row in rows} == {("0", 1.0)}


def test_broken_pictures_are_named_and_skipped(run: Run, pictures: Path, main_command: Command) -> None:
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    (pictures / "empty.png").touch()
    (pictures / "lost.png").symlink_to("nowhere")
    (pictures / "notes.txt").write_text("not an image")
    (pictures / ".hidden.png").write_bytes(b"")
    (pictures / "sub").mkdir()
    shutil.copy(next(pictures.glob("1/*")), pictures / "sub" / "no_suffix")
    if hasattr(os, "mkfifo"):
        os.mkfifo(pictures / "pipe.jpg")  # reading it would never end
    done = main_command("predict", run.folder, "pictures", "--csv")
    assert done.returncode == 1
    first, second, third, last = done.stderr.splitlines()
    assert first == "skipped pictures/broken.jpg: a kind of image that is not read, or a damaged file"
    assert second == "skipped pictures/empty.png: empty file"
    assert third == "skipped pictures/lost.png: cannot be read: No such file or directory"
    assert last == "skipped 3 of 10 pictures"
    names = [row["path"] for row in csv.DictReader(io.StringIO(done.stdout))]
    assert len(names) == 7
    assert "pictures/sub/no_suffix" in names


@contextmanager
def _started(run: Run, *arguments: str | Path, cwd: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the command with pipes as its standard input and output."""
    command = [STRIDEDNET, "predict", run.folder, *arguments]
    with subprocess.Popen(command, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        timer = threading.Timer(_TIMEOUT, process.kill)
        timer.start()
        try:
            yield process
        finally:
            timer.cancel()
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.png"], "error: no such file or folder: nowhere.png"),
        (["pictures", "nowhere.png"], "error: no such file or folder: nowhere.png"),
        (["*.nothing"], "error: no file matches the pattern. Received: '*.nothing'"),
        (["nothing"], "error: no pictures in nothing"),
        (["pictures", "--csv", "--json"], "error: --json and --csv exclude each other; choose one"),
        (["-", "-"], "error: standard input can be read once only. Received: '-' 2 times"),
    ],
)
def test_wrong_input(arguments: list[str], message: str, run: Run, pictures: Path, main_command: Command) -> None:
    (pictures.parent / "nothing").mkdir()
    (pictures.parent / "nothing" / "notes.txt").write_text("not an image")
    done = main_command("predict", run.folder, *arguments)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (2, "", message)


def test_not_a_run(pictures: Path, main_command: Command) -> None:
    done = main_command("predict", pictures, pictures)
    assert (done.returncode, done.stderr) == (2, f"error: {pictures} is not a run directory: it has no recipe.toml\n")


def _with_input(run: Run, folder: Path, content: bytes, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    command = [STRIDEDNET, "predict", run.folder, "-", "--json", *arguments]
    return subprocess.run(command, cwd=folder, input=content, capture_output=True, check=False)


def test_standard_input_names_pictures(run: Run, pictures: Path) -> None:
    files = sorted(pictures.glob("0/*"))
    lines = f"{files[0]}\r\npictures/1\n\n{files[1]}\nnowhere.png".encode()
    done = _with_input(run, pictures.parent, lines)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        "skipped nowhere.png: cannot be read: No such file or directory",
        "skipped 1 of 6 pictures",
    ]
    paths = [row["path"] for row in _rows(done.stdout.decode())]
    assert paths[0] == str(files[0])
    assert [Path(path).parent.name for path in paths] == ["0", "1", "1", "1", "0"]


def test_standard_input_is_a_picture(run: Run, pictures: Path, main_command: Command) -> None:
    picture = next(pictures.glob("1/*"))
    done = _with_input(run, pictures, picture.read_bytes())
    (row,) = _rows(done.stdout.decode())
    (expected,) = _rows(main_command("predict", run.folder, picture, "--json").stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert row == expected | {"path": "-"}


def test_standard_input_is_answered_line_by_line(run: Run, pictures: Path) -> None:
    with _started(run, "-", "--csv", "--topk", "1", cwd=pictures) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"path,label,probability\n"
        for picture in sorted(pictures.glob("0/*")):
            process.stdin.write(f"0/{picture.name}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().startswith(f"0/{picture.name},".encode())  # before the next is written
        process.stdin.close()
        assert process.wait() == 0


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_empty_standard_input(content: bytes, run: Run, tmp_path: Path) -> None:
    done = _with_input(run, tmp_path, content)
    assert (done.returncode, done.stderr) == (2, b"error: standard input has no paths of pictures\n")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes")
def test_odd_file_names(run: Run, pictures: Path, main_command: Command) -> None:
    odd = pictures / "odd"
    odd.mkdir()
    names = [b"two\nlines.png", b"caf\xe9.png", b'quo"te,comma.png', b"  spaces .png"]
    for name in names:
        shutil.copy(next(pictures.glob("0/*")), os.path.join(os.fsencode(odd), name))  # noqa: PTH118
    known = {f"pictures/odd/{name.decode()}" for name in names if name != names[1]}
    uri = f"file://{odd}/caf%E9.png"
    csv_rows = list(csv.DictReader(io.StringIO(main_command("predict", run.folder, "pictures/odd", "--csv").stdout)))
    assert {row["path"] for row in csv_rows} == known | {uri}
    json_rows = _rows(main_command("predict", run.folder, "pictures/odd", "--json").stdout)
    assert {row["path"] for row in json_rows} == known | {uri}
    table = main_command("predict", run.folder, "pictures/odd").stdout.splitlines()
    assert len(table) == 5
    assert any(line.startswith(r"pictures/odd/two\nlines.png") for line in table)
    assert main_command("predict", run.folder, uri).returncode == 0  # every argument accepts this form
    done = _with_input(run, odd, b"".join(name + b"\0" for name in names))
    assert (done.returncode, len(_rows(done.stdout.decode()))) == (0, 4)


def test_patterns_are_expanded(run: Run, pictures: Path, main_command: Command) -> None:
    done = main_command("predict", run.folder, "pictures/*/*.png", "--json")
    assert [row["path"] for row in _rows(done.stdout)] == sorted(
        f"pictures/{path.parent.name}/{path.name}" for path in pictures.glob("*/*.png")
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_folder_streams(run: Run, digits: Path, tmp_path: Path) -> None:
    """All results that are known are printed although the next picture cannot be read yet: nobody writes to a pipe."""
    many = copy_digits(digits, tmp_path / "many", "012", 100)
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    with _started(run, many, pipe, "--csv") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().decode() for _ in range(1 + 300)]
        assert [Path(line.partition(",")[0]).parent.name for line in lines[1:]] == [*"0" * 100, *"1" * 100, *"2" * 100]
        picture = next(many.glob("0/*"))
        subprocess.run(["sh", "-c", 'cat "$1" > "$2"', "sh", picture, pipe], check=True, timeout=_TIMEOUT)
        assert process.stdout.readline().decode().startswith(str(pipe))
        assert process.wait() == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_it_can_be_interrupted_while_it_waits(run: Run, pictures: Path) -> None:
    os.mkfifo(pictures / "pipe.png")
    with _started(run, next(pictures.glob("0/*")), pictures / "pipe.png", "--csv") as process:
        assert process.stdout is not None
        assert len([process.stdout.readline() for _ in range(2)]) == 2
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_the_reader_may_stop_early(run: Run, pictures: Path, tmp_path: Path) -> None:
    """Then the process ends while its threads decode pictures that are not needed anymore."""
    many = tmp_path / "many"
    many.mkdir()
    with Image.open(next(pictures.glob("0/*"))) as image:
        image.resize((600, 600)).save(many / "0.jpg")
    for number in range(1, 300):
        shutil.copy(many / "0.jpg", many / f"{number}.jpg")
    command = f"{STRIDEDNET} predict {run.folder} many --csv | head -2"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert len(done.stdout.splitlines()) == 2
    assert (done.returncode, done.stderr) == (141, "")


def test_explanations_are_drawn(run: Run, pictures: Path, main_command: Command) -> None:
    (pictures / "broken.jpg").write_bytes(b"")
    file = next(pictures.glob("0/*"))
    done = main_command("predict", run.folder, "pictures", file, file, "--explain", "why", "--json")
    assert done.returncode == 1, done.stderr
    drawn = sorted(path.relative_to(pictures.parent / "why") for path in (pictures.parent / "why").rglob("*.png"))
    below = [path.relative_to(pictures).with_name(f"{path.name}.png") for path in pictures.glob("*/*")]
    assert drawn == sorted([*below, Path(f"{file.name}.png"), Path(f"{file.name}-2.png")])
    with Image.open(pictures.parent / "why" / f"{file.name}.png") as image:
        difference = np.asarray(image).astype(int) - run.explain(file).overlay
    assert np.abs(difference).max() <= 2  # a picture alone and one among others are not added up in the same order
