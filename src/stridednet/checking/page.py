"""``check.html``: the issues as one self-contained page."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from stridednet.checking.issue import CLASS, COPY_CLASSES, COPY_SUBSETS, KINDS, LABEL, UNREADABLE, Issue
from stridednet.checking.thumbnails import thumbnail
from stridednet.data.manifest import Manifest

MAX_BYTES = 3_000_000
# Issues of a kind that the page shows, and classes; as many of these as fit into `MAX_BYTES`.
_SHOWN = ((60, 1000), (30, 300), (15, 100), (5, 30), (0, 0))
_LONGEST = 120  # characters of a path


def page(result: Mapping[str, Any], issues: Sequence[Issue], manifest: Manifest) -> str:
    """Return the page as HTML, of at most `MAX_BYTES` bytes.

    Args:
        result: What `stridednet.checking.check.CheckResult.as_dict` returns.
        issues: The issues by kind, the worst of each first.
        manifest: The data set, for the thumbnails.
    """
    import jinja2

    source = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["shortened"] = shortened
    template = environment.from_string(source)
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
        html = template.render(
            result=result,
            sections=sections,
            classes=list(result["classes"].items())[:most_classes],
            hidden_classes=max(0, len(result["classes"]) - most_classes),
            largest=max(size["total"] for size in result["classes"].values()),
            subsets=[name for name in next(iter(result["classes"].values())) if name != "total"],
            label=LABEL,
        )
        if len(html.encode("utf-8", "backslashreplace")) <= MAX_BYTES:
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


def shortened(text: str) -> str:
    """Return a text with its middle left out if it is very long.

    >>> shortened("cat/1.jpg"), len(shortened("a" * 1000))
    ('cat/1.jpg', 120)
    """
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[: half - 1]}…{text[-half:]}"
