"""``check.html``: the issues as one self-contained page."""

from collections.abc import Mapping, Sequence
from typing import Any

from stridednet.checking.issue import CLASS, COPY_CLASSES, COPY_SUBSETS, KINDS, LABEL, UNREADABLE, Issue
from stridednet.data.manifest import Manifest
from stridednet.evaluation.page.frame import MAX_BYTES, render, size_of
from stridednet.evaluation.page.thumbnails import thumbnail

# Issues of a kind that the page shows, and classes; as many of these as fit into `MAX_BYTES`.
_SHOWN = ((60, 1000), (30, 300), (15, 100), (5, 30), (0, 0))


def page(result: Mapping[str, Any], issues: Sequence[Issue], manifest: Manifest) -> str:
    """Return the page as HTML, of at most `MAX_BYTES` bytes.

    Args:
        result: What `stridednet.checking.check.CheckResult.as_dict` returns.
        issues: The issues by kind, the worst of each first.
        manifest: The data set, for the thumbnails.
    """
    path_of = {manifest.relative(picture.path): picture.path for picture in manifest.pictures}
    drawn: dict[str, str | None] = {}

    def picture_of(path: str) -> str | None:
        if path not in drawn:
            drawn[path] = thumbnail(path_of[path]) if path in path_of else None
        return drawn[path]

    for most, most_classes in _SHOWN:
        sections = []
        for kind in KINDS:
            found = [issue for issue in issues if issue.kind is kind]
            sections.append(
                {
                    "kind": kind,
                    "anchor": kind.name.replace(" ", "-"),
                    "count": len(found),
                    "pictures": kind not in (UNREADABLE, CLASS),
                    "entries": [
                        {"issue": issue, "picture": picture_of(issue.path), "partner": picture_of(issue.partner)}
                        for issue in _pairs_once(found)[:most]
                    ],
                    "hidden": max(0, len(_pairs_once(found)) - most),
                }
            )
        html = render(
            "check.html.j2",
            {
                "result": result,
                "sections": sections,
                "classes": list(result["classes"].items())[:most_classes],
                "hidden_classes": max(0, len(result["classes"]) - most_classes),
                "largest": max(size["total"] for size in result["classes"].values()),
                "subsets": [name for name in next(iter(result["classes"].values())) if name != "total"],
                "label": LABEL,
            },
            __package__,
        )
        if size_of(html) <= MAX_BYTES:
            break
    return html


def _pairs_once(issues: Sequence[Issue]) -> list[Issue]:
    """Return the issues without those whose picture was already shown as the partner of another one."""
    seen: set[tuple[str, str]] = set()
    kept = []
    for issue in issues:
        if issue.kind not in (COPY_CLASSES, COPY_SUBSETS) or (issue.partner, issue.path) not in seen:
            kept.append(issue)
            seen.add((issue.path, issue.partner))
    return kept
