"""The difference between a variant and the base, measured out of fold, with its interval.

A sweep repeats the following: the pictures are divided into folds; for each fold, the base and a variant are trained
on all other folds and measured on this one. Each picture is thus measured once per repetition, by networks that have
not seen it, and its *paired difference* is the variant's result minus the base's. The difference of a variant is the
mean over pictures of the picture's mean over repetitions.

Two things would make it another number if the sweep were done again, and each has its variance:

- *Pictures.* Another data set has other pictures. The sample variance ``S`` of the pictures' means, divided by their
  number, is the variance of cross-validation in the central limit theorem of Bayle, Bayle, Janson and Mackey 2020,
  "Cross-validation Confidence Intervals for Test Error" (arXiv:2007.12671). It includes what is random in each single
  answer, which repetitions average out.
- *Trainings.* Another seed gives a network that is better or worse on all pictures of its fold. This is the variance
  between the means of the folds beyond what their pictures explain, a component of variance as in a one-way analysis.
  A few trainings measure it badly, so that the estimate is moved towards what was typical of real sweeps, with the
  weight of five trainings. Repetitions average most of it out. They cannot average out what all trainings of a sweep
  have in common because they learn from one data set; Nadeau and Bengio 2003, "Inference for the Generalization Error"
  (doi:10.1023/A:1024068626366), add a share of the variance for it, and so does this module.

The sum has degrees of freedom after Satterthwaite 1946, "An Approximate Distribution of Estimates of Variance
Components" (doi:10.2307/3002019); with several comparisons, each interval has the level
``1 - (1 - level) / comparisons`` (Bonferroni). Bates, Hastie and Tibshirani 2021, "Cross-validation: what does it
estimate and how well does it do it?" (arXiv:2104.00673), show that intervals of cross-validation can fail because
trainings share pictures. `benchmarks/interval_coverage.py` measures how well these do, on simulated sweeps that are
fitted to real ones.

If almost all answers agree, the variance of the few differences says little, and for none at all it is 0. As in a score
interval (Tango 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B), the variance is therefore
increased by that of ``z**2`` further answers that differ: the interval of a variant that answers everything as
the base does is 0 plus or minus ``z**2 / n``, close to the rule of three.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
_MOST_REPETITIONS = 1000

# Chosen with real sweeps and simulated ones that are fitted to them; see docs/measure.md.
_TYPICAL = 0.003  # variance of trainings, divided by that of a picture's difference between right and wrong answers
_TYPICAL_OF_LOSS = 0.01  # the same for losses
_TYPICAL_WEIGHT = 5  # trainings
_COMMON = 0.17  # the part of the variance of trainings that all trainings of a sweep have in common


@dataclass(frozen=True)
class PairedFold:
    """What a variant and the base, trained without a fold, answered on its pictures.

    Attributes:
        repetition: Number of the repetition that the fold belongs to.
        rows: The pictures of the fold, ``(n,)``.
        differences: The variant's result minus the base's for each of them, ``(n,)``: -1, 0 or 1 for right and wrong
            answers, or a real number such as a difference of log losses.
    """

    repetition: int
    rows: NDArray[np.intp]
    differences: NDArray[np.float64]


@dataclass(frozen=True)
class Spread:
    """The variances of a difference, from which its interval after any number of repetitions follows.

    Attributes:
        picture: Variance over pictures of the expected difference of a picture; only more pictures reduce its share.
        answer: Variance of a single answer around that of its picture.
        training: Variance over trainings of what all answers of a training have in common.
        step: Square of the typical size of a picture's mean difference; 0 for results that are not right or wrong.
        fold: Mean number of pictures in a fold.
    """

    picture: float
    answer: float
    training: float
    step: float
    fold: float


@dataclass(frozen=True)
class Difference:
    """A mean paired difference with its interval, which is NaN if there is only one training of each.

    Attributes:
        mean: The variant minus the base.
        low: Lower limit of the interval at ``level``.
        high: Its upper limit.
        error: Standard error of the mean.
        freedom: Its degrees of freedom.
        count: Number of trainings of the variant.
        pictures: Number of pictures.
        floor: Variance that is added for each squared quantile; see the module's docstring.
        comparisons: Number of variants that are compared with the base.
        level: Confidence level of all intervals together.
        spread: The variances behind ``error``.
    """

    mean: float
    low: float
    high: float
    error: float
    freedom: float
    count: int
    pictures: int
    floor: float
    comparisons: int
    level: float
    spread: Spread

    @property
    def measurable(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low > 0 or self.high < 0

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval at another level, simultaneous over the same comparisons."""
        half = _half_width(self.error, self.freedom, self.floor, 1 - (1 - level) / self.comparisons)
        return self.mean - half, self.mean + half

    def same_within(self, margin: float) -> bool:
        """Whether the difference is certainly less than ``margin`` in either direction: two one-sided tests.

        Both tests, at the error ``1 - level`` each, reject if the interval at the level ``1 - 2 * (1 - level)`` is
        within the margins (Schuirmann 1987, doi:10.1007/BF01068419). At most one of them can be wrong.
        """
        low, high = self.interval(2 * self.level - 1)
        return -margin < low and high < margin

    def half_width_after(self, repetitions: float, folds: int) -> float:
        """Return half the interval's expected width after that many complete repetitions, which may be infinite.

        As long as there is one repetition, what is of pictures and what is of single answers cannot be told apart:
        all of it then counts as of pictures, and the result is an upper limit.
        """
        spread = self.spread
        trainings = repetitions * folds
        pictures = (spread.picture + spread.answer / repetitions) / self.pictures
        variance = pictures + spread.training * (1 / trainings + _COMMON)
        between = spread.training + (spread.picture + spread.answer) * folds / self.pictures
        freedom = _freedom(variance, pictures, self.pictures, between, 1 / trainings + _COMMON, trainings)
        confidence = 1 - (1 - self.level) / self.comparisons
        return _half_width(math.sqrt(variance), freedom, spread.step / self.pictures**2, confidence)

    def repetitions_to_resolve(self, half: float, folds: int) -> int | None:
        """Return after how many repetitions half the interval's expected width is at most ``half``.

        None if no number of repetitions suffices: only more pictures make the interval as narrow.
        """
        if math.isnan(self.error) or self.half_width_after(math.inf, folds) > half:
            return None
        numbers = range(1, _MOST_REPETITIONS + 1)
        return next((number for number in numbers if self.half_width_after(number, folds) <= half), None)


def out_of_fold_difference(folds: Sequence[PairedFold], *, comparisons: int = 1, level: float = LEVEL) -> Difference:
    """Return the mean difference between a variant and the base, from folds of one or more repetitions.

    Repetitions may be incomplete, and folds of different sizes.

    Args:
        folds: The folds on which both were measured; within a repetition, they have no picture in common.
        comparisons: Total number of variants that are compared with the base.
        level: Confidence level of all intervals together.

    Raises:
        ValueError: There is no fold, a fold has no picture, or its rows and differences are not pairs.
    """
    if not folds or any(not len(fold.rows) or fold.rows.shape != fold.differences.shape for fold in folds):
        raise ValueError("folds must have as many differences as rows, and at least one of each")
    sizes = np.array([len(fold.rows) for fold in folds])
    training = np.repeat(np.arange(len(folds)), sizes)
    differences = np.concatenate([fold.differences for fold in folds]).astype(np.float64)
    rows = np.concatenate([fold.rows for fold in folds])
    times = np.bincount(rows)
    seen = times > 0
    of_picture = np.bincount(rows, differences)[seen] / times[seen]
    of_training = np.bincount(training, differences) / sizes
    n, count, mean = len(of_picture), len(folds), float(of_picture.mean())
    within = float(((differences - of_training[training]) ** 2).sum()) / max(1, len(differences) - count)
    between_pictures = float(((of_picture - mean) ** 2).sum()) / max(1, n - 1)
    right_or_wrong = bool(np.isin(differences, (-1, 0, 1)).all())
    step = float((of_picture**4).sum() + 1) / float((of_picture**2).sum() + 1) if right_or_wrong else 0.0
    average = float(n / sizes.sum())  # 1 / repetitions, if they are complete
    single = float(np.clip((within - between_pictures) / (1 - average), 0, within)) if average < 1 else 0.0
    picture_variance = max(0.0, between_pictures - single * average)
    if count == 1:
        spread = Spread(picture_variance, single, math.nan, step, float(sizes.mean()))
        unknown = math.nan
        return Difference(mean, unknown, unknown, unknown, unknown, 1, n, unknown, comparisons, level, spread)
    # The share of each training in the mean; sums to 1.
    shares = np.bincount(training, 1 / times[rows]) / n
    between = float(of_training.var(ddof=1))
    # What the pictures of the folds contribute to the variance between their means. Picture effects that repetitions
    # have in common do not show there: they are those of the mean, S / n.
    explained = float((within / sizes).sum() - count * between_pictures / n) / (count - 1)
    weight, typical = _weight(count), _TYPICAL if right_or_wrong else _TYPICAL_OF_LOSS
    of_trainings = max(0.0, weight * (between - explained) + (1 - weight) * typical * within)
    share = float((shares**2).sum()) + _COMMON
    variance = between_pictures / n + share * of_trainings
    freedom = _freedom(variance, between_pictures / n, n, between, share, count)
    error, floor = math.sqrt(variance), step / n**2
    half = _half_width(error, freedom, floor, 1 - (1 - level) / comparisons)
    spread = Spread(picture_variance, single, of_trainings, step, float(sizes.mean()))
    return Difference(mean, mean - half, mean + half, error, freedom, count, n, floor, comparisons, level, spread)


def _weight(trainings: float) -> float:
    """Return the weight of the trainings' own variance beside the typical one."""
    return 1.0 if math.isinf(trainings) else (trainings - 1) / (trainings - 1 + _TYPICAL_WEIGHT)


def _freedom(variance: float, pictures: float, count: int, between: float, share: float, trainings: float) -> float:
    """Return the degrees of freedom after Satterthwaite of a variance with a part of pictures and one of trainings.

    An estimated variance of trainings of 0 is as uncertain as any other: what counts is that between folds.
    """
    of_pictures = pictures**2 / max(1, count - 1)
    of_trainings = 0.0 if math.isinf(trainings) else (share * _weight(trainings) * between) ** 2 / (trainings - 1)
    uncertain = of_pictures + of_trainings
    return variance**2 / uncertain if uncertain else math.inf


def _half_width(error: float, freedom: float, floor: float, confidence: float) -> float:
    student, normal = _quantiles(confidence, freedom)
    return math.sqrt((student * error) ** 2 + normal**4 * floor)


@functools.lru_cache(maxsize=4096)
def _quantiles(confidence: float, freedom: float) -> tuple[float, float]:
    from scipy.special import ndtri, stdtrit

    if math.isnan(freedom):
        return math.nan, math.nan
    probability = (1 + confidence) / 2
    normal = float(ndtri(probability))
    return (float(stdtrit(freedom, probability)) if freedom < 1e6 else normal), normal
