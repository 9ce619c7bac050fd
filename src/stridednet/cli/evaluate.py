"""``stridednet evaluate``: how good a run is, on its test subset or on new data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stridednet.cli.json_output import only_json_on_stdout, print_json
from stridednet.cli.paths import path_option
from stridednet.cli.trust import TrustedFiles, trusted
from stridednet.storage import path_text

if TYPE_CHECKING:
    from stridednet.evaluation.comparison import Comparison
    from stridednet.evaluation.evaluate import Evaluation
    from stridednet.evaluation.scores import Score

_WORST = 5  # mistakes that are listed


@only_json_on_stdout
def evaluate_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Directory of a finished run.")],
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            help="New data: a folder with one subfolder per class, an archive of one, or a built-in data set. "
            "[default: the run's own test subset]",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Compare with another run on the same pictures."),
    ] = None,
    labels_from: Annotated[
        str,
        typer.Option(metavar="name|FILE.csv[:FILES,LABELS]", help="Read labels of new data from names or a file."),
    ] = "",
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Files and folders of new data to ignore. Can be repeated."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=path_option,
            metavar="DIR",
            help="Folder for the files. [default: RUN for its test subset, a new one in RUN/evaluations for new data]",
        ),
    ] = None,
    trust: TrustedFiles = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON to standard output.")] = False,
) -> None:
    """Evaluate a run: accuracy and the scores of each class with 95% intervals, calibration, confusions, mistakes."""
    from stridednet.cli.progress import console_observer
    from stridednet.run import Run
    from stridednet.storage import user_path
    from stridednet.threads import claim_process

    trusts_first, trusts_second = trusted(trust, run, against)
    first = Run.open(user_path(run, "RUN"), trust=trusts_first)
    second = None if against is None else Run.open(user_path(against, "--against"), trust=trusts_second)

    from stridednet.environment import check_keras
    from stridednet.evaluation.comparison import compare
    from stridednet.evaluation.evaluate import evaluate
    from stridednet.evaluation.evaluation_files import check_place, write_evaluation
    from stridednet.models.pretrained import origin_of

    check_place(first, dataset or first.recipe.data.dataset, out)
    check_keras()
    claim_process()
    say = console_observer(quiet=as_json).on_message
    origin = origin_of(first.recipe.model)
    if origin is not None:
        say(origin.note)
    evaluation = evaluate(first, dataset, labels_from=labels_from, exclude=exclude or (), on_message=say)
    comparison = None if second is None else compare(evaluation, second, say)
    more = {} if comparison is None else {"against": comparison.as_dict()}
    files = write_evaluation(evaluation, out, **more)
    if as_json:
        print_json(evaluation.as_dict() | more | {"files": [path_text(file) for file in files]})
        return
    _print_scores(evaluation)
    if comparison is not None:
        _print_comparison(comparison)
    print(f"\nfiles: {path_text(files[0].parent)}")
    for file in files:
        print(f"  {file.name}")


def _print_scores(evaluation: "Evaluation") -> None:
    from rich.table import Table
    from rich.text import Text

    from stridednet.cli.screen import wide_console
    from stridednet.data.tree import shown

    console = wide_console()
    found, predictions, calibration = evaluation.scores, evaluation.predictions, evaluation.reliability
    n, wrong = len(predictions.truth), predictions.wrong
    lines = [
        ("accuracy", found.accuracy, f"{n - len(wrong):,} of {n:,} pictures"),
        ("mean class accuracy", found.mean_class_accuracy, "each class counts alike"),
        ("macro F1", found.macro_f1, "each class counts alike"),
        ("weighted F1", found.weighted_f1, ""),
        *((f"top-{k} accuracy", score, "") for k, score in found.top_k.items()),
    ]
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, score, about in lines:
        table.add_row(name, _percent(score), Text(about, style="dim"))
    table.add_row("Brier score", f"{found.brier_score:.3f}", Text("0 is perfect, 2 is the worst", style="dim"))
    about = f"mean confidence {calibration.confidence:.1%}, expected calibration error {calibration.error:.3f}"
    table.add_row("confidence", f"{calibration.confidence:.1%}", Text(about.partition(", ")[2], style="dim"))
    console.print("\nscores, with 95% intervals in parentheses:")
    console.print(table)
    classes = Table(box=None, padding=(0, 2, 0, 0))
    classes.add_column("class", overflow="fold")
    for name in ("pictures", "precision", "recall", "F1"):
        classes.add_column(name, justify="right", no_wrap=True)
    for one in found.classes:
        scores = [_percent(score) if score else "-" for score in (one.precision, one.recall, one.f1)]
        classes.add_row(Text(shown(one.label)), f"{one.pictures:,}", *scores)
    console.print()
    console.print(classes)
    if len(wrong):
        console.print(f"\nmistakes, the most confident of {len(wrong):,} first:", highlight=False)
    mistakes = Table(box=None, padding=(0, 2, 0, 2), show_header=False)
    mistakes.add_column(overflow="fold")
    for row in wrong[:_WORST]:
        said, truth = (shown(predictions.labels[one[row]]) for one in (predictions.guess, predictions.truth))
        what = f"{truth}, predicted as {said} ({predictions.confidence[row]:.1%})"
        mistakes.add_row(Text(shown(predictions.paths[row])), Text(what))
    console.print(mistakes)


def _percent(score: "Score") -> str:
    if score.interval is None:
        return f"{score.value:.1%}"
    low, high = (f"{100 * limit:.1f}" for limit in score.interval)
    return f"{score.value:.1%} ({low} to {high})"


def _print_comparison(comparison: "Comparison") -> None:
    low, high = (f"{100 * limit:+.1f}" for limit in comparison.interval)
    print(f"\nagainst {comparison.second}, on the same {comparison.pictures:,} pictures:")
    print(f"  only {comparison.first} is right: {comparison.only_first:,}")
    print(f"  only {comparison.second} is right: {comparison.only_second:,}")
    print(f"  both are right: {comparison.both:,}, neither: {comparison.neither:,}")
    print(
        f"  difference in accuracy: {100 * comparison.difference:+.1f} points, 95% interval {low} to {high} "
        "(Newcombe, paired)"
    )
    print(f"  McNemar's exact test: p = {comparison.p_value:.3g}")
