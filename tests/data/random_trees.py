"""Random data sets as people have them: folders and archives with odd names, odd files and clutter.

The generator keeps its own account of what a person would call the classes, and of how many pictures each has.
"""

import csv
import os
import random
import shutil
import tarfile
import unicodedata
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from random_files import BROKEN, OTHER, READABLE, Made

Key = tuple[str, str | None]  # a class and its subset

_ODD_NAMES = (
    " leading", "trailing ", "salt, pepper", "two\nlines", "caf\u00e9", "cafe\u0301 noir", "\U0001f431", "x" * 200,
    "<script>alert(1)<", 'so-called "cat"', "CON", "nul", "007", "10", "2", "test", "Cat", "cat", "-rf", "#1", "%41",
    "a\\b", "~", "*", "[ab]", "file:x", "digits", "runs", "background", "nan", "null", "cat.jpg", "photos.zip",
    "line\u2028separator", "bell\x07", "\u202eright to left", "trials", "datasets", "caf\udce9", "x=1", "a;b", "tab\tx",
)  # fmt: skip
_PLAIN_NAMES = ("ant", "bee", "cow", "dog", "eel", "fox")
_NOT_CLASSES = (".hidden", "..dots", "@eaDir", "lost+found", "__MACOSX", ".git", "$RECYCLE.BIN", ".ipynb_checkpoints")
_SUBSETS = (
    {"train": "train", "test": "test"},
    {"training_set": "train", "test_set": "test"},
    {"train": "train", "val": "val", "test": "test"},
    {"Training": "train", "Validation": "val"},
    {"trn": "train", "tst": "test"},
    {"train_images": "train", "test_images": "test"},
    {"TRAIN": "train", "valid": "val", "TEST": "test"},
    {"train": "train", "dev": "val", "test": "test"},
    {"train": "train", "eval": "val"},
)
_LAYOUTS = ("flat", "flat", "flat", "subsets", "subsets", "twice", "around", "in names", "table")


@dataclass
class Expected:
    """What a person would say of a data set.

    ``readable`` and ``damaged`` count the pictures of each class and subset: those that can be decoded, and the other
    files that look like pictures by their names or first bytes. ``excuses`` are the reasons for which the program may
    reject the data set; without any, it has to read it.
    """

    readable: Counter[Key] = field(default_factory=Counter)
    damaged: Counter[Key] = field(default_factory=Counter)
    classes: set[str] = field(default_factory=set)
    excuses: list[str] = field(default_factory=list)

    def training(self, label: str) -> int:
        """Return the number of readable training pictures of a class."""
        return self.readable[label, None] + self.readable[label, "train"]


class RandomTree:
    """A data set in a folder; the same seed gives the same one.

    ``dataset`` is its path, and ``settings`` are the arguments with which to read it.
    """

    def __init__(self, seed: int, place: Path) -> None:
        """Write the data set into an existing folder."""
        self.rng = random.Random(seed)
        self.seed = seed
        self.place = place
        self.expected = Expected()
        self.settings: dict[str, object] = {}
        self.layout = self.rng.choice(_LAYOUTS)
        self.packed = self.rng.choice(["", "", "", ".zip", ".tar", ".tar.gz", ".tgz", ".ZIP"])
        self.number = 0
        self.written: dict[Path, Key] = {}
        self.dataset = self.root = place / f"tree{seed}"
        self.root.mkdir()
        self._write()
        if self.packed:
            self._pack()
        elif self.rng.random() < 0.3:
            self._restrict()
        self._excuse()

    def _write(self) -> None:
        rng = self.rng
        top = self.root
        if self.layout == "around" or (self.packed and rng.random() < 0.4):
            top = self.root / rng.choice(["pets", "data set", "images", "101_ObjectCategories"])
            top.mkdir()
            if not self.packed:
                self.expected.excuses.append("one folder around all others")
            for name in rng.sample(["README.md", "LICENSE", ".DS_Store", "notes.txt"], 2):
                (self.root / name).write_text("about these pictures")
        names = self._class_names()
        if self.layout == "in names":
            self._write_names(top, names)
        elif self.layout == "table":
            self._write_table(top, names)
        elif self.layout in ("subsets", "twice"):
            self._write_subsets(top, names)
        else:
            self._write_classes(top, names, None)
            if not self.packed:
                self._add_links(top)
        self._add_clutter(top)

    def _class_names(self) -> list[str]:
        rng = self.rng
        if self.layout == "in names":
            return rng.sample(_PLAIN_NAMES, rng.randint(2, 4))
        odd = [name for name in _ODD_NAMES if not self.packed or not set("\\\udce9") & set(name)]
        if self.layout == "table":
            odd = [name for name in odd if name == name.strip() and "\udce9" not in name]
        some = rng.sample(odd, rng.randint(0, 4))
        names = rng.sample(_PLAIN_NAMES, rng.randint(2, 3)) + some
        rng.shuffle(names)
        return names

    def _write_classes(self, top: Path, names: list[str], subset: str | None) -> None:
        rng = self.rng
        for name in names:
            folder = top / (unicodedata.normalize("NFD", name) if rng.random() < 0.3 else name)
            folder.mkdir(parents=True)
            self.expected.classes.add(unicodedata.normalize("NFC", name))
            if rng.random() < 0.04:
                continue  # an empty class
            self._fill(folder, name, subset, rng.choice([1, 4, 5, 5, 6, 8, 8]))
            if rng.random() < 0.1:
                deep = folder / rng.choice(["more", "2024", "a b"]) / "still"
                deep.mkdir(parents=True)
                self._fill(deep, name, subset, 2)

    def _fill(self, folder: Path, label: str, subset: str | None, count: int) -> None:
        rng = self.rng
        for _ in range(count):
            self._add(folder, label, subset, self._made(READABLE))
        for _ in range(rng.choice([0, 0, 1, 2])):
            self._add(folder, label, subset, self._made(BROKEN))
        for _ in range(rng.choice([0, 0, 0, 1, 24])):
            self._add(folder, label, subset, self._made(OTHER))

    def _made(self, kinds: tuple[str, ...]) -> Made:
        self.number += 1
        return Made.of(self.rng.choice(kinds), self.seed * 10_000 + self.number)

    def _add(self, folder: Path, label: str, subset: str | None, made: Made, stem: str | None = None) -> Path:
        stems = [f"{self.number}", f"IMG {self.number}", f"b\u00fcld-{self.number}", f"a.b.{self.number}"]
        path = folder / ((stem or self.rng.choice(stems)) + made.suffix)
        path.write_bytes(made.content)
        key = self._count(label, subset, made)
        if made.is_readable:
            self.written[path] = key
        return path

    def _count(self, label: str, subset: str | None, made: Made) -> Key:
        key = (unicodedata.normalize("NFC", label), subset)
        if made.is_readable:
            self.expected.readable[key] += 1
        elif made.looks_like_picture:
            self.expected.damaged[key] += 1
        return key

    def _write_subsets(self, top: Path, names: list[str]) -> None:
        rng = self.rng
        spelling = rng.choice(_SUBSETS)
        for folder, subset in spelling.items():
            place = top / folder / folder if self.layout == "twice" else top / folder
            self._write_classes(place, names, subset)
        if rng.random() < 0.2:
            (top / "annotations").mkdir()
            (top / "annotations" / "1.xml").write_text("<x/>")

    def _write_names(self, top: Path, names: list[str]) -> None:
        self.settings["labels_from"] = "name"
        self.expected.classes |= set(names)
        folder = top / "train" if self.rng.random() < 0.5 else top
        folder.mkdir(exist_ok=True)
        subset = None if folder == top else "train"
        pattern = self.rng.choice(["{}.{}", "{}_{}", "{} ({})", "{}-{}"])
        for name in names:
            for number in range(self.rng.randint(4, 7)):
                self._add(folder, name, subset, self._made(READABLE), pattern.format(name, number))
        if folder != top:
            (top / "test1").mkdir()
            for number in range(3):
                made = self._made(READABLE)
                (top / "test1" / f"{number}{made.suffix}").write_bytes(made.content)

    def _write_table(self, top: Path, names: list[str]) -> None:
        rng = self.rng
        self.settings["labels_from"] = "labels.csv"
        self.expected.classes |= {unicodedata.normalize("NFC", name) for name in names}
        folder = top / "images"
        folder.mkdir()
        rows = []
        for name in names:
            for _ in range(rng.randint(4, 7)):
                self.number += 1
                path = self._add(folder, name, None, self._made(READABLE), f"p{self.number}")
                rows.append((path.name if rng.random() < 0.7 else f"images/{path.name}", name))
        rng.shuffle(rows)
        encoding = rng.choice(["utf-8", "utf-8-sig"])
        with (top / "labels.csv").open("w", newline="", encoding=encoding) as file:
            writer = csv.writer(file, delimiter=rng.choice(",;\t"))
            writer.writerows([("file", "label"), *rows])

    def _add_links(self, top: Path) -> None:
        rng = self.rng
        here = rng.choice([path for path in sorted(top.iterdir()) if path.is_dir()])
        label = unicodedata.normalize("NFC", here.name)
        kind = rng.choice(["", "", "", "file", "outside", "self", "above", "sibling loop", "broken", "loop of two"])
        if kind == "file":
            self.number += 1
            made = self._made(READABLE)
            (self.place / f"linked{made.suffix}").write_bytes(made.content)
            (here / f"link{made.suffix}").symlink_to(self.place / f"linked{made.suffix}")
            self._count(label, None, made)
        elif kind == "outside":
            elsewhere = self.place / "elsewhere"
            elsewhere.mkdir()
            self._fill(elsewhere, label, None, 2)
            (here / "linked").symlink_to(elsewhere, target_is_directory=True)
        elif kind == "self":
            (here / "again").symlink_to(here, target_is_directory=True)
        elif kind == "above":
            (here / "up").symlink_to(rng.choice([top, self.place]), target_is_directory=True)
        elif kind == "sibling loop":
            (here / "deep").mkdir()
            (here / "deep" / "back").symlink_to(Path(".."), target_is_directory=True)
        elif kind == "broken":
            (here / "gone.png").symlink_to(top / "nowhere.png")
        elif kind == "loop of two":
            (here / "one.png").symlink_to(here / "two.png")
            (here / "two.png").symlink_to(here / "one.png")

    def _add_clutter(self, top: Path) -> None:
        rng = self.rng
        inner = [path for path in top.rglob("*") if path.is_dir() and not path.is_symlink()]
        places = [top, *rng.sample(inner, min(2, len(inner)))]
        for place in places:
            for name in rng.sample((".DS_Store", "Thumbs.db", "desktop.ini", "._x.jpg"), rng.randint(0, 2)):
                (place / name).write_bytes(b"\0\5\x16\7")
            if rng.random() < 0.2:
                hidden = place / rng.choice(_NOT_CLASSES)
                hidden.mkdir(exist_ok=True)
                made = self._made(READABLE)
                (hidden / f"x{made.suffix}").write_bytes(made.content)
        if rng.random() < 0.15 and self.layout == "flat":
            run = top / "runs" / "train" / "fast" if not (top / "runs").exists() else top / "my run"
            run.mkdir(parents=True)
            (run / "recipe.toml").write_text("epochs = 3\n")
            (run / "labels.txt").write_text("a\nb\n")
            (run / "plot.png").write_bytes(self._made(("png",)).content)

    def _restrict(self) -> None:
        """Make a file or folder unreadable, which has no effect for root."""
        rng = self.rng
        files = [path for path in sorted(self.root.rglob("*.png")) if path.is_file() and not path.is_symlink()]
        folders = [path for path in sorted(self.root.rglob("*")) if path.is_dir() and not path.is_symlink()]
        if not files + folders:
            return
        path = rng.choice(files if files and (not folders or rng.random() < 0.6) else folders)
        path.chmod(rng.choice([0, 0, 0o400]) if path.is_dir() else 0)
        if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
            self.expected.excuses.append("an unreadable folder")
        for written, key in self.written.items():
            if not os.access(written, os.R_OK):
                self.expected.readable[key] -= 1
                self.expected.damaged[key] += 1

    def _pack(self) -> None:
        """Replace the folder by an archive of it."""
        rng = self.rng
        archive = self.place / f"tree{self.seed}{self.packed}"
        files = [path for path in sorted(self.root.rglob("*")) if path.is_file()]
        outer = rng.random() < 0.5
        name_of = {path: path.relative_to(self.place if outer else self.root).as_posix() for path in files}
        if self.packed.lower() == ".zip":
            backslashes = rng.random() < 0.3
            with zipfile.ZipFile(archive, "w") as zipped:
                for path, name in name_of.items():
                    zipped.write(path, name.replace("/", "\\") if backslashes else name)
        else:
            with tarfile.open(archive, "w:" if self.packed == ".tar" else "w:gz") as tarred:
                for path, name in name_of.items():
                    tarred.add(path, name, recursive=False)
        # Archives of files have no empty folders.
        filled = {label for label, _ in self.expected.readable + self.expected.damaged}
        if self.expected.classes - filled:
            self.expected.excuses.append("an empty class")
        shutil.rmtree(self.root)
        self.dataset = self.root = archive
        if rng.random() < 0.2:
            self.dataset = self.root = self.place / f"outer{self.seed}.zip"
            with zipfile.ZipFile(self.dataset, "w") as zipped:
                zipped.write(archive, archive.name)
                zipped.writestr("README.txt", "unpack the other file")
            archive.unlink()

    def _excuse(self) -> None:
        """Find the reasons for which the data set may be rejected."""
        expected = self.expected
        trained = {label: expected.training(label) for label in expected.classes}
        if self.rng.random() < 0.5 and any(count == 0 for count in trained.values()):
            self.settings["skip_empty"] = True
            trained = {label: count for label, count in trained.items() if count}
        if any(count == 0 for count in trained.values()):
            expected.excuses.append("an empty class")
        has_others = any(subset in ("val", "test") for (_, subset), count in expected.readable.items() if count)
        if not has_others and (min(trained.values(), default=0) < 2 or sum(trained.values()) < 4 * len(trained)):
            expected.excuses.append("a class of too few pictures")
        if len(trained) < 2:
            expected.excuses.append("fewer than two classes")
