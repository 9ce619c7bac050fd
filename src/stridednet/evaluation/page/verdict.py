"""The verdict on a model in a sentence, what it means in plain words, and what to look at next."""

from dataclasses import dataclass

import numpy as np

from stridednet.data.tree import printable
from stridednet.evaluation.intervals import Interval, wilson
from stridednet.evaluation.page.evaluated import Material
from stridednet.evaluation.page.frame import number, percent, shortened
from stridednet.evaluation.predictions import Predictions
from stridednet.evaluation.scores import scores
from stridednet.training.history import validations

# When advice is given. Rules of thumb, which the sentences therefore put as suggestions.
_WIDE = 0.1  # width of the interval above which more test pictures are suggested
_GAP = 0.05  # accuracy on training pictures minus that of the evaluation: memorization
_LOW = 0.9  # accuracy on training pictures below which a longer training is suggested
_UNBALANCED = 5  # times as many pictures of the largest class as of the smallest one
_UNSURE = 0.5  # recall of a class below which it is named


@dataclass(frozen=True)
class Measure:
    """A number with its interval, if there is one, and what it means."""

    name: str
    value: float
    interval: Interval | None
    about: str


@dataclass(frozen=True)
class Verdict:
    """The first section of the page.

    Args:
        sentence: The accuracy with its interval.
        meaning: Sentences that say what it means.
        measures: Accuracy and the averages over classes, which count each class alike.
        next_steps: What to look at next, each with the section of the page that shows it.
    """

    sentence: str
    meaning: tuple[str, ...]
    measures: tuple[Measure, ...]
    next_steps: tuple[tuple[str, str], ...]


def kind_of_pictures(subset: str) -> str:
    """Return how the page calls the pictures of a subset.

    >>> kind_of_pictures("test"), kind_of_pictures("val"), kind_of_pictures("new data")
    ('test pictures', 'validation pictures', 'new pictures')
    """
    return {"test": "test pictures", "val": "validation pictures", "new data": "new pictures"}.get(subset, "pictures")


def verdict(material: Material) -> Verdict:
    """Return the verdict on a model; without pictures, there is only a sentence that says so."""
    predictions = material.predictions
    n = len(predictions.truth)
    pictures = kind_of_pictures(material.evaluation.subset)
    if not n:
        return Verdict(f"There are no {pictures}, so nothing is known about the accuracy.", (), (), ())
    right = n - len(predictions.wrong)
    low, high = wilson(right, n)
    sentence = (
        f"{percent(right / n)} of {number(n)} {pictures} are classified correctly "
        f"(95% interval {percent(low)} to {percent(high)})."
    )
    return Verdict(
        sentence, _meaning(predictions, (low, high)), _measures(predictions), _next_steps(material, (low, high))
    )


def _meaning(predictions: Predictions, interval: Interval) -> tuple[str, ...]:
    n, wrong = len(predictions.truth), len(predictions.wrong)
    low, high = interval
    mistakes = (
        "None of them is wrong."
        if not wrong
        else f"{number(wrong)} of them {'is' if wrong == 1 else 'are'} wrong, about one in {max(1, round(n / wrong))}."
    )
    fewest, most = round(1000 * (1 - high)), round(1000 * (1 - low))
    expected = (
        f"Of 1,000 other pictures of the same kind, expect {fewest} to {most} to be wrong: the interval "
        "covers chance in the choice of the pictures, not pictures of another kind, such as those of another camera."
    )
    counts = np.bincount(predictions.truth, minlength=len(predictions.labels))
    largest = int(counts.argmax())
    baseline = (
        f"Always answering {shortened(predictions.labels[largest])}, the most frequent class, would be right for "
        f"{percent(counts[largest] / n)}."
    )
    return mistakes, expected, baseline


def per_class(predictions: Predictions) -> list[tuple[int, int]]:
    """Return for each class that has pictures how many are classified correctly, and how many there are."""
    hits = predictions.guess == predictions.truth
    return [
        (int(hits[predictions.truth == column].sum()), int((predictions.truth == column).sum()))
        for column in np.unique(predictions.truth)
    ]


def _measures(predictions: Predictions) -> tuple[Measure, ...]:
    found = scores(predictions)
    described = (
        ("Accuracy", found.accuracy, "each picture counts alike"),
        ("Mean class accuracy", found.mean_class_accuracy, "each class counts alike (macro recall)"),
        ("Macro F1", found.macro_f1, "mean of the classes' F1 scores"),
        ("Weighted F1", found.weighted_f1, "weighted by the size of the classes"),
    )
    return tuple(Measure(name, score.value, score.interval, about) for name, score, about in described)


def _next_steps(material: Material, interval: Interval) -> tuple[tuple[str, str], ...]:
    predictions = material.predictions
    steps = [*_confusion_step(predictions), *_class_step(predictions), *_curve_step(material), *_balance_step(material)]
    if interval[1] - interval[0] > _WIDE:
        steps.append(
            (
                f"The interval is wide, since there are only {number(len(predictions.truth))} pictures: more pictures "
                "to test on would make it narrower.",
                "data",
            )
        )
    if not len(predictions.wrong):
        steps.append(("There are no mistakes here. Try harder pictures, from another place or camera.", "calibration"))
    return tuple(steps)


def _confusion_step(predictions: Predictions) -> list[tuple[str, str]]:
    wrong = predictions.wrong
    if not len(wrong):
        return []
    pairs, counts = np.unique(
        np.stack([predictions.truth[wrong], predictions.guess[wrong]], axis=1), axis=0, return_counts=True
    )
    most = int(counts.argmax())
    truth, guess = (shortened(predictions.labels[column]) for column in pairs[most])
    of = int((predictions.truth == pairs[most][0]).sum())
    text = f"The most frequent confusion: {counts[most]} of {number(of)} {truth} are classified as {guess}."
    return [(text, "confusion"), (_mistakes_text(predictions), "mistakes")]


def _mistakes_text(predictions: Predictions) -> str:
    highest = percent(float(predictions.confidence[predictions.wrong[0]]))
    if len(predictions.wrong) == 1:
        return f"There is one mistake; the model is {highest} confident about it."
    return f"Look at the mistakes, the most confident first: the model is up to {highest} confident about them."


def _class_step(predictions: Predictions) -> list[tuple[str, str]]:
    recalls = [hits / of for hits, of in per_class(predictions)]
    low = int(np.argmin(recalls))
    if recalls[low] >= _UNSURE:
        return []
    name = shortened(predictions.labels[np.unique(predictions.truth)[low]])
    below = sum(recall < _UNSURE for recall in recalls)
    others = f" {below} classes are below {_UNSURE:.0%}." if below > 1 else ""
    return [
        (f"The weakest class is {name}: {percent(recalls[low])} of its pictures are recognized.{others}", "classes")
    ]


def _curve_step(material: Material) -> list[tuple[str, str]]:
    validated = validations(material.history)
    if not validated:
        return []
    trained, measured = material.history[-1].accuracy, validated[-1][1].accuracy
    if trained - measured > _GAP:
        return [
            (
                f"In the last epoch, the accuracy was {percent(trained)} on training pictures and {percent(measured)} "
                "on others: the model memorizes. More pictures or stronger augmentation may help.",
                "curves",
            )
        ]
    hard = material.recipe.mixing.mixup or material.recipe.augmentation.trivial_augment  # to learn, on purpose
    if trained < _LOW and not hard:
        return [
            (
                f"The accuracy on training pictures is only {percent(trained)}: a longer training, the recipe "
                "'auto' or a larger image size may help.",
                "curves",
            )
        ]
    return []


def _balance_step(material: Material) -> list[tuple[str, str]]:
    text = balance_advice(material)
    return [(text, "data")] if text else []


def training_sizes(material: Material) -> dict[str, int]:
    """Return the number of training pictures of each class."""
    sizes = dict.fromkeys((printable(label) for label in material.labels), 0)
    for row in material.split:
        if row.subset == "train" and row.label in sizes:
            sizes[row.label] += 1
    return sizes


def balance_advice(material: Material) -> str:
    """Return what to do if the largest class has over five times as many training pictures as the smallest one."""
    sizes = {label: size for label, size in training_sizes(material).items() if size}
    if len(sizes) < 2:
        return ""
    small, large = min(sizes, key=sizes.__getitem__), max(sizes, key=sizes.__getitem__)
    if sizes[large] <= _UNBALANCED * sizes[small]:
        return ""
    return (
        f"The classes differ in size: {number(sizes[large])} training pictures of {shortened(large)}, "
        f"{number(sizes[small])} of {shortened(small)}. Compare mean class accuracy and macro F1, which count each "
        "class alike, and collect more pictures of the small classes."
    )
