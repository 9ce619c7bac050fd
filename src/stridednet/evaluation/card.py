"""The model card of a run: ``README.md``, with the front matter of the Hugging Face Hub."""

import html
import json
import re
from collections import Counter
from functools import cache
from importlib import resources
from typing import Any

import jinja2

from stridednet.data.archive import dataset_name
from stridednet.data.decode import PADDING
from stridednet.data.tree import shown
from stridednet.evaluation.page.classes import class_rows
from stridednet.evaluation.page.data_set import SUBSETS
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.frame import number, percent
from stridednet.evaluation.page.verdict import kind_of_pictures, training_sizes, verdict

_MOST_CLASSES = 200  # rows of a table


def model_card(name: str, material: Material) -> str:
    """Return the model card as Markdown. What is not known, such as the license of the data, is left out.

    Args:
        name: How to call the model: the name of the run directory.
        material: The run and its evaluation.
    """
    judged, trained = verdict(material), training_sizes(material)
    rows = class_rows(material)
    counts = Counter(one.subset for one in material.split)
    return _template().render(
        name=name,
        material=material,
        dataset=dataset_name(material.recipe.data.dataset),
        size=material.recipe.image_size,
        rule=material.recipe.resize,
        gray=PADDING,
        verdict=judged,
        pictures=kind_of_pictures(material.evaluation.subset),
        rows=rows[:_MOST_CLASSES],
        hidden=max(0, len(rows) - _MOST_CLASSES),
        counts={name: counts[name] for name in SUBSETS if counts[name]},
        smallest=min(trained.values(), default=0),
        metrics=_metrics(material),
        report=material.report,
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=False,  # noqa: S701 -- not HTML: `plain` escapes what comes from files
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": plain, "number": number, "percent": percent, "quoted": quoted}
    source = resources.files(__package__).joinpath("page", "templates", "card.md.j2")
    return environment.from_string(source.read_text(encoding="utf-8"))


def _metrics(material: Material) -> list[dict[str, Any]]:
    types = {"Accuracy": "accuracy", "Macro F1": "f1"}
    return [
        {"type": types[measure.name], "name": measure.name, "value": round(measure.value, 6)}
        for measure in verdict(material).measures
        if measure.name in types
    ]


def quoted(text: str) -> str:
    r"""Return a text as a YAML scalar in double quotes.

    >>> print(quoted('a "b": c'))
    "a \"b\": c"
    """
    return json.dumps(shown(text), ensure_ascii=False)


def plain(text: str) -> str:
    r"""Return a text for Markdown in which nothing is markup, not even in a table.

    >>> print(plain("<b> a|b *c*"))
    &lt;b&gt; a\|b \*c\*
    """
    return re.sub(r"([\\`*_\[\]|#])", r"\\\1", html.escape(shown(text), quote=False))
