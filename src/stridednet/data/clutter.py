"""Files and folders that are never part of a data set: those of operating systems, and results of this package."""

from pathlib import Path

# Windows, macOS, Linux, and the storage systems of Synology and QNAP. Names that start with a dot are clutter as well.
_SYSTEM_NAMES = frozenset(
    {
        "$recycle.bin", "#recycle", "#snapshot", "@eadir", "@recycle", "@recently-snapshot", "@tmp", "__macosx",
        "__pycache__", "desktop.ini", "ehthumbs.db", "found.000", "icon\r", "lost+found", "recycler", "recycled",
        "system volume information", "thumbs.db",
    }
)  # fmt: skip


def is_clutter(name: str) -> bool:
    """Return whether a file or folder was created by an operating system and is not part of the data set."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def is_results(folder: Path) -> bool:
    """Return whether a folder is a run or a sweep of this package, or contains nothing but such folders."""
    try:
        names = {entry.name for entry in folder.iterdir() if not is_clutter(entry.name)}
    except OSError:  # a file, or a folder that cannot be read, which is reported where it is used
        return False
    if "recipe.toml" in names and names & {"labels.txt", "report.json", "checkpoint"}:
        return True
    if "base.toml" in names and names & {"trials", "trials.csv", "comparison.json"}:
        return True
    if folder.name == "trials":  # all that an interrupted sweep has
        return bool(names) and all(name.endswith(".json") for name in names)
    # Deleted runs leave empty folders: runs/train.
    made_for_results = folder.name == "runs" or folder.parent.name == "runs"
    return (bool(names) or made_for_results) and all(is_results(folder / name) for name in names)
