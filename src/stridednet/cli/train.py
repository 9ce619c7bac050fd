"""``stridednet train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stridednet.cli.data_options import Exclude, Labels, LabelsFrom, SkipEmpty, data_settings
from stridednet.cli.json_output import only_json_on_stdout, print_json
from stridednet.cli.paths import path_option
from stridednet.cli.trust import TrustedFiles, trusted
from stridednet.errors import FigureError, InputError
from stridednet.storage import path_text

if TYPE_CHECKING:
    from stridednet.pipeline import Result


@only_json_on_stdout
def train_command(
    dataset: Annotated[
        str | None,
        typer.Argument(
            metavar="DATASET",
            help="Folder with one subfolder per class, an archive of one, or a built-in data set. [default: digits]",
        ),
    ] = None,
    dataset_option: Annotated[
        str | None, typer.Option("--dataset", "-d", metavar="DATASET", help="Same as the DATASET argument.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", "-e", help="Number of epochs. [default: from the recipe]")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", "-p", parser=path_option, metavar="FILE", help="Additional file for the figure, such as plot.png."
        ),
    ] = None,
    labels: Labels = None,
    labels_from: LabelsFrom = None,
    exclude: Exclude = None,
    skip_empty: SkipEmpty = False,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Name of a recipe, or a TOML file. [default: auto]")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|keras:NAME|FILE.py:FUNCTION",
            help="Name of a model, keras:NAME for a network of Keras Applications, or your own builder: "
            "FUNCTION(width, height, depth, classes) must return an uncompiled Keras model that takes pixels from 0 to "
            "255, so it starts with a Rescaling layer. [default: from the recipe]",
        ),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            parser=path_option,
            metavar="FILE",
            help="Weights for --model keras:NAME, without its top, as .weights.h5. [default: Keras downloads them]",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Override a setting of the recipe, such as model.stem_kernel=3. Can be repeated.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Random seed for initialization, shuffling, augmentation and dropout. [default: 0]"),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="auto|float32|bfloat16",
            help="Floating-point precision; auto uses bfloat16 where it is faster. [default: auto]",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="N/M",
            help="Train on N images per class, test on up to M others, and report the mean per-class accuracy.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=path_option, metavar="DIR", help="Run directory. [default: a new one in runs/train]"),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            parser=path_option, metavar="RUN", help="Resume an interrupted run; give DATASET if the data set was moved."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail if a file of the data set cannot be used, instead of skipping it.")
    ] = False,
    trust: TrustedFiles = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON to standard output.")] = False,
) -> None:
    """Train an image classifier on a folder of pictures.

    Saves the model, the classification report and a figure of the training in a run directory.
    """
    if dataset is not None and dataset_option is not None:
        raise InputError(f"DATASET and --dataset cannot be combined. Received: {dataset!r} and {dataset_option!r}")
    chosen: dict[str, Any] = {
        "epochs": epochs,
        "seed": seed,
        "model.name": model,
        "model.weights": None if weights is None else str(weights.absolute()),
        "precision": precision,
        "data.strict": strict or None,
        **data_settings(labels, labels_from, exclude, skip_empty=skip_empty),
    }
    if protocol is not None:
        chosen["data.train_per_class"], chosen["data.test_per_class"] = _protocol(protocol)
    settings = {key: value for key, value in chosen.items() if value is not None}
    given = dataset if dataset is not None else dataset_option
    if resume is not None and (settings or assignments or recipe or out):
        raise InputError("--resume uses the recipe of the run; it can only be combined with DATASET and --plot")

    trusts = any(trusted(trust, recipe, resume))

    from stridednet.cli.progress import console_observer
    from stridednet.recipe import DEFAULT_RECIPE, parse_override
    from stridednet.resolve import resolve

    observer = console_observer(quiet=as_json)
    settings |= dict(map(parse_override, assignments or []))
    resolution = None if resume is not None else resolve(given, recipe or DEFAULT_RECIPE, settings, trust=trusts)

    from stridednet import pipeline  # only now, since it imports Keras
    from stridednet.threads import claim_process

    claim_process()
    try:
        if resolution is not None:
            result = pipeline.follow(resolution, out=out, plot=plot, observer=observer)
        else:
            assert resume is not None  # noqa: S101  -- for the type checker
            result = pipeline.resume(resume, given, plot=plot, observer=observer, trust=trusts)
    except FigureError as error:
        _print_result(error.result, None, as_json=as_json)
        raise
    _print_result(result, plot, as_json=as_json)


def _print_result(result: "Result", plot: Path | None, *, as_json: bool) -> None:
    if as_json:
        print_json(result.report)
        return
    from stridednet.data.balance import IMBALANCED

    print(f"\n{result.classification.text}")
    data, training = result.report["data"], result.report["training"]
    if data["split"] == "per class" or data["imbalance"] > IMBALANCED or training["class_weights"] is not None:
        numbers = result.classification.numbers
        classes = len(result.report["labels"]) - len(numbers["missing"])
        print(
            f"accuracy: {numbers['accuracy']:.3f}\n"
            f"mean per-class accuracy ({classes} classes): {numbers['mean_class_accuracy']:.3f}\n"
            f"macro F1: {numbers['macro_f1']:.3f}\n"
        )
    epochs_text = f"{training['epochs']} {'epoch' if training['epochs'] == 1 else 'epochs'}"
    print(
        f"trained for {epochs_text} ({training['images']:,} images) in {training['seconds']:.1f} s, "
        f"{training['images_per_second']:,.0f} images/s"
    )
    print(f"run: {path_text(result.run.folder)}")
    if result.run.page.is_file():
        print(f"report: {path_text(result.run.page)}")
    if plot is not None:
        print(f"figure: {path_text(plot)}")


def _protocol(text: str) -> tuple[int, int]:
    train, slash, test = text.partition("/")
    if not slash or not train.isdecimal() or not test.isdecimal() or int(train) == 0:
        raise InputError(f"--protocol: expected N/M, such as 30/50. Received: {text!r}")
    return int(train), int(test)
