"""check(): all checks of a data set, and the files that they are written to."""

import itertools
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stridednet.checking.balance import ClassSize, class_sizes, find_small_classes
from stridednet.checking.copies_across import find_copies_across
from stridednet.checking.folds import predict_out_of_fold
from stridednet.checking.image_quality import find_unusual, measure_files
from stridednet.checking.issue import KINDS, LABEL, UNREADABLE, Issue
from stridednet.checking.page import page
from stridednet.data.archive import dataset_name
from stridednet.data.cache import Pictures, load_pictures
from stridednet.data.copies import find_copies
from stridednet.data.manifest import Manifest
from stridednet.data.scan import results_inside, scan
from stridednet.data.tree import shown
from stridednet.environment import check_keras
from stridednet.errors import DataError, InputError
from stridednet.evaluation.predictions import Predictions
from stridednet.evaluation.suspected_labels import require_cleanlab, suspected
from stridednet.executor.backend import Backend
from stridednet.models.catalogue import check_model
from stridednet.recipe import Recipe
from stridednet.resolve import Resolution, resolve
from stridednet.storage import check_writable, csv_text, path_text, storage_errors, user_path, write_text
from stridednet.training.observer import Observer

DEFAULT_RECIPE = "fast"
DEFAULT_FOLDS = 5
CHECKS = Path("runs/check")
_PAGE = "check.html"
_TABLE = "check.csv"


@dataclass(frozen=True)
class CheckResult:
    """The issues of a data set.

    Args:
        folder: Where ``check.html`` and ``check.csv`` are.
        dataset: The data set, as messages name it.
        issues: All issues by kind, the worst of each first.
        classes: The number of pictures of each class.
        accuracy: Fraction of the pictures that were assigned to their class by a model trained without them.
        settings: The recipe's name, number of folds, number of epochs and random seed.
        seconds: How long the check took.
    """

    folder: Path
    dataset: str
    issues: tuple[Issue, ...]
    classes: tuple[ClassSize, ...]
    accuracy: float
    settings: Mapping[str, Any]
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """Number of issues of each kind, with 0 for kinds without any."""
        found = Counter(issue.kind.name for issue in self.issues)
        return {kind.name: found[kind.name] for kind in KINDS}

    @property
    def page(self) -> Path:
        """The path of ``check.html``."""
        return self.folder / _PAGE

    @property
    def table(self) -> Path:
        """The path of ``check.csv``."""
        return self.folder / _TABLE

    def as_dict(self) -> dict[str, Any]:
        """Return the result as it is printed with ``--json``."""
        return {
            "dataset": self.dataset,
            "pictures": sum(size.total for size in self.classes),
            "classes": {size.label: {"total": size.total, **size.subsets} for size in self.classes},
            "out_of_fold_accuracy": round(self.accuracy, 6),
            "counts": self.counts,
            "issues": [issue.as_dict() for issue in self.issues],
            "settings": dict(self.settings),
            "seconds": round(self.seconds, 3),
            "files": [path_text(self.page), path_text(self.table)],
        }


def check(
    dataset: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] | Recipe = DEFAULT_RECIPE,
    settings: Mapping[str, Any] | None = None,
    *,
    folds: int = DEFAULT_FOLDS,
    out: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
    trust: bool = False,
) -> CheckResult:
    """Check a data set: label issues, copies, unusual pictures, unusable files and class balance.

    Label issues are found with cleanlab, from the probabilities of models that were not trained on the picture. The
    data set is only read.

    Args:
        dataset: A folder of class folders, an archive of one, or the name of a data set; None for the recipe's.
        recipe: What to train in each fold: a recipe, the name of a built-in one, or a TOML file.
        settings: Settings by dotted key that override the recipe: ``{"seed": 1, "data.labels": ["cat", "dog"]}``.
        folds: Number of folds, at least 2.
        out: The folder for ``check.html`` and ``check.csv``; None for a new one below ``runs/check``.
        observer: Is notified of messages and progress.
        trust: Whether a recipe in a TOML file may name Python code as its model, which can do everything that you can
            do.

    Raises:
        InputError: An argument, a setting or the data set is wrong, or cleanlab is not installed; nothing was written.
        TrainingError: The loss became NaN or infinite.
        StorageError: The files cannot be written.

    Examples:
        >>> import tempfile
        >>> tiny = {"epochs": 1, "data.labels": ["0", "1"], "image_size": 16, "model.filters": [8]}
        >>> result = check("digits", settings=tiny, folds=2, out=tempfile.mkdtemp())
        >>> result.counts["unreadable"], [size.total for size in result.classes]
        (0, [500, 500])
    """
    return follow(resolve(dataset, recipe, settings, trust=trust), folds=folds, out=out, observer=observer)


def follow(
    resolution: Resolution,
    *,
    folds: int = DEFAULT_FOLDS,
    out: str | os.PathLike[str] | None = None,
    observer: Observer | None = None,
) -> CheckResult:
    """Check a data set with a resolved recipe; arguments, result and errors as for `check`."""
    started = time.perf_counter()
    observer = observer or Observer()
    for message in resolution.messages:
        observer.on_message(message)
    recipe = resolution.recipe
    if isinstance(folds, bool) or not isinstance(folds, int) or folds < 2:
        raise InputError(f"folds: expected an integer of at least 2. Received: {folds!r}")
    place = None if out is None else user_path(out, "out")
    check_place(recipe.data.dataset, place)
    require_cleanlab()
    check_keras()
    check_model(recipe.model)
    backend = Backend.choose(recipe.precision)
    if backend.problem:
        observer.on_message(backend.problem)
    pictures = _load(recipe, observer)
    manifest = pictures.manifest
    copies = find_copies(pictures.digests, pictures.fingerprints[pictures.stored])
    sizes = class_sizes(manifest)
    predictions = predict_out_of_fold(recipe, pictures, copies, folds, backend, observer)
    issues = [
        *_label_issues(predictions, manifest, {size.label for size in sizes if size.total < folds}),
        *find_copies_across(pictures, copies),
        *_unreadable(manifest),
        *_quality_issues(pictures),
        *find_small_classes(sizes, folds),
    ]
    folder = _new_folder(recipe) if place is None else place
    result = CheckResult(
        folder,
        manifest.shown_root,
        tuple(issues),
        tuple(sizes),
        float((predictions.guess == predictions.truth).mean()),
        {"recipe": recipe.name, "folds": folds, "seed": recipe.seed},
        time.perf_counter() - started,
    )
    write_text(result.table, table(result.issues))
    write_text(result.page, page(result.as_dict(), result.issues, manifest))
    return result


def check_place(dataset: str, out: Path | None) -> None:
    """Check, before anything is computed, that the files can be written.

    Args:
        dataset: The data set.
        out: The folder; None for a new one below ``runs/check``.

    Raises:
        InputError: The folder is inside the data set, or not a folder, or contains other files.
        StorageError: The folder cannot be written.
    """
    folder = CHECKS if out is None else out
    if results_inside(dataset, folder) is not None:
        raise InputError(
            f"out: {shown(str(folder))} is inside the data set, which is never changed; choose another folder"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"out: {shown(str(folder))} is a file; name a folder")
    if out is not None and out.is_dir() and {entry.name for entry in out.iterdir()} - {_PAGE, _TABLE}:
        raise InputError(f"out: {shown(str(out))} contains other files; name a new folder")
    check_writable(folder, "choose another folder with `out`")


def table(issues: tuple[Issue, ...]) -> str:
    """Return the issues as CSV."""
    columns = ("path", "issue", "class", "subset", "suggested_class", "partner", "score", "details")
    rows = [{name: "" if value is None else str(value) for name, value in issue.as_dict().items()} for issue in issues]
    return csv_text(columns, ([row[column] for column in columns] for row in rows))


def _load(recipe: Recipe, observer: Observer) -> Pictures:
    data = recipe.data
    scanned = scan(
        data.dataset, data.labels, labels_from=data.labels_from, exclude=data.exclude, skip_empty=data.skip_empty
    )
    observer.on_message(f"{len(scanned.pictures):,} pictures of {len(scanned.labels)} classes in {scanned.shown_root}")
    if scanned.ignored_folders and not data.labels:
        observer.on_message(f"ignored folders: {', '.join(map(shown, scanned.ignored_folders))}")
    for note in scanned.notes:
        observer.on_message(note)
    pictures = load_pictures(scanned, recipe.image_size, rule=recipe.resize, source_size=recipe.source_size)
    if not pictures.manifest.pictures:
        raise DataError(f"{scanned.shown_root}: none of the pictures can be decoded")
    return pictures


def _label_issues(predictions: Predictions, manifest: Manifest, unchecked: set[str]) -> list[Issue]:
    return [
        Issue(
            LABEL,
            predictions.paths[suspect.row],
            suspect.given,
            f"labeled {suspect.given} ({suspect.score:.1%}), looks like {suspect.suggested} "
            f"({predictions.confidence[suspect.row]:.1%})",
            manifest.pictures[suspect.row].subset or "",
            round(suspect.score, 6),
            suspect.suggested,
        )
        for suspect in suspected(predictions)
        if suspect.given not in unchecked
    ]


def _unreadable(manifest: Manifest) -> list[Issue]:
    return [Issue(UNREADABLE, manifest.relative(problem.path), "", problem.reason) for problem in manifest.problems]


def _quality_issues(pictures: Pictures) -> list[Issue]:
    manifest = pictures.manifest
    qualities = measure_files([picture.path for picture in manifest.pictures], pictures.ranges)
    issues = []
    for unusual in find_unusual(qualities):
        picture = manifest.pictures[unusual.row]
        issues.append(
            Issue(
                unusual.kind,
                manifest.relative(picture.path),
                picture.label,
                unusual.details,
                picture.subset or "",
                unusual.score,
            )
        )
    return issues


def _new_folder(recipe: Recipe) -> Path:
    name = dataset_name(recipe.data.dataset)
    with storage_errors(CHECKS):
        CHECKS.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = CHECKS / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir()
                return folder
            except FileExistsError:
                continue
    raise AssertionError
