"""Files and folders that are never data: those of systems, results of this package, and what the user excludes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stridednet.data.scan import results_inside, scan
from stridednet.errors import DataError
from stridednet.recipe import Recipe
from stridednet.run import Run
from tiny_pictures import noise, write_classes


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "pets", ["cat", "dog"])


def _run(folder: Path) -> Path:
    run = Run.create(Recipe(), folder)
    run.write_labels(["cat", "dog"])
    noise(folder).save(folder / "plot.png")
    return folder


@pytest.mark.parametrize(
    "name",
    ["lost+found", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "__MACOSX", ".Trash-1000",
     "Found.000", "@Recycle"],
)  # fmt: skip
def test_system_folders_are_not_classes(pets: Path, name: str) -> None:
    write_classes(pets, [name])
    write_classes(pets / "cat", [name])
    manifest = scan(pets)
    assert (manifest.labels, len(manifest.pictures), manifest.problems) == (("cat", "dog"), 12, ())


_SCAN_WITHOUT_PRIVILEGES = """
import os, sys
from stridednet.data.scan import scan

if os.geteuid() == 0:  # root can read any folder
    os.setuid(int(sys.argv[1]))
assert not os.access(sys.argv[2], os.X_OK)
manifest = scan(".")
print(manifest.labels, sorted({problem.reason for problem in manifest.problems}))
"""


def _scanned_without_privileges(folder: Path, closed: str) -> str:
    """Return the labels of a data set and the reasons of its problems, as a user who cannot enter a folder sees it."""
    nobody = 65534
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, 0 if path.name == "lost+found" else nobody, -1)
    done = subprocess.run(
        [sys.executable, "-c", _SCAN_WITHOUT_PRIVILEGES, str(nobody), closed],
        cwd=folder, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_system_folders_of_another_user_are_not_read(pets: Path) -> None:
    (pets / "lost+found").mkdir(mode=0)
    assert _scanned_without_privileges(pets, "lost+found") == "('cat', 'dog') []\n"


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_files_in_a_folder_that_can_be_listed_but_not_entered_are_problems(pets: Path) -> None:
    write_classes(pets, ["eel"])
    (pets / "cat" / "closed").mkdir()
    noise("closed").save(pets / "cat" / "closed" / "1.png")
    (pets / "cat" / "closed").chmod(0o444)
    expected = "('cat', 'dog', 'eel') ['cannot be read: Permission denied']\n"
    assert _scanned_without_privileges(pets, "cat/closed") == expected


def test_thumbnails_of_a_storage_system_are_not_pictures(pets: Path) -> None:
    for path in list(pets.rglob("*.png")):
        thumb = path.parent / "@eaDir" / path.name / "SYNOPHOTO_THUMB_M.jpg"
        thumb.parent.mkdir(parents=True)
        noise(path).save(thumb)
    (pets / "cat" / "._1.png").write_bytes(b"\0\5\x16\7")
    assert len(scan(pets).pictures) == 12


def test_files_and_folders_are_excluded_by_pattern(pets: Path) -> None:
    write_classes(pets, ["unsorted"])
    noise("thumb").save(pets / "cat" / "1_thumb.png")
    noise("other").save(pets / "dog" / "1_thumb.png")
    manifest = scan(pets, exclude=["unsorted", "*_thumb.png", "dog/0*", "*.gif"])
    assert [manifest.relative(picture.path) for picture in manifest.pictures] == [
        *(f"cat/{number}.png" for number in range(6)), *(f"dog/{number}.png" for number in range(1, 6)),
    ]  # fmt: skip
    assert manifest.notes == (
        "excluded by 'unsorted': 1 file or folder",
        "excluded by '*_thumb.png': 2 files and folders",
        "excluded by 'dog/0*': 1 file or folder",
        "excluded by '*.gif': 0 files and folders",
    )
    with pytest.raises(DataError, match="only one class folder"):
        scan(pets, exclude=["unsorted/", "do?"])


def test_runs_and_sweeps_in_a_data_set_are_not_data(pets: Path) -> None:
    _run(pets / "runs" / "train" / "pets-fast")
    _run(pets / "runs" / "train" / "pets-fast-2")
    _run(pets / "mine")
    _run(pets / "cat" / "deep")
    sweep = pets / "runs" / "sweep" / "pets"
    (sweep / "trials").mkdir(parents=True)
    (sweep / "trials" / "0123456789abcdef.json").write_text("{}")
    manifest = scan(pets)
    assert (manifest.labels, len(manifest.pictures), manifest.problems) == (("cat", "dog"), 12, ())
    assert manifest.notes == ("ignored, since they contain results of trainings: cat/deep, mine, runs",)
    (sweep / "base.toml").touch()
    noise("figure").save(sweep / "accuracy.png")
    assert scan(pets) == manifest


def test_folders_of_deleted_runs_are_not_classes(pets: Path) -> None:
    (pets / "runs" / "train").mkdir(parents=True)
    assert scan(pets).labels == ("cat", "dog")


def test_a_class_may_be_named_runs(pets: Path) -> None:
    write_classes(pets, ["runs"])
    (pets / "runs" / "recipe.toml").write_text("epochs = 3")
    assert scan(pets).labels == ("cat", "dog", "runs")


def test_results_inside_the_data_set_are_noticed(pets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert results_inside(pets, pets.parent / "runs") is None
    assert results_inside("digits", Path("runs")) is None
    monkeypatch.chdir(pets)
    warning = results_inside(".", Path("runs/train"))
    assert warning is not None
    assert warning.startswith("the results in runs/train are inside the data set, which ignores them")
