"""``stridednet train``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from stridednet.errors import InputError


def train_command(
    dataset: Annotated[
        str | None,
        typer.Argument(help="A folder with one sub-folder per class, an archive of one, or a name. [default: digits]"),
    ] = None,
    dataset_option: Annotated[
        str | None, typer.Option("--dataset", "-d", metavar="DATASET", help="The same as the argument.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", "-e", help="How often to go through the images. [default: the recipe's]")
    ] = None,
    plot: Annotated[Path | None, typer.Option("--plot", "-p", help="Write the figure here as well.")] = None,
    labels: Annotated[str | None, typer.Option(help="Classes to use, separated by commas. [default: all]")] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe by name, or a TOML file. [default: accurate]")] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE.py:FUNCTION",
            help="A model by name, or your own: function(width, height, depth, classes) returns a Keras model, not "
            "compiled, that takes pixels from 0 to 255, so begins with Rescaling. [default: the recipe's]",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe, such as model.stem_kernel=3."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order, augmentation, dropout. [default: 0]")] = None,
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="auto|float32|bfloat16", help="What the network computes in. [default: what the CPU is fast at]"
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            metavar="N/M", help="Train on N images of each class, test on up to M others; report the mean over classes."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run directory. [default: a new one in runs/train]")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run that was interrupted; only -p goes with it.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a file that cannot be used.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print report.json on standard output.")] = False,
) -> None:
    """Train a classifier on a folder of pictures.

    The model, the classification report and the figure go into a run directory.
    """
    if dataset is not None and dataset_option is not None:
        raise InputError(f"two data sets, {dataset!r} and -d {dataset_option!r}; give one")
    chosen: dict[str, Any] = {
        "epochs": epochs,
        "seed": seed,
        "model.name": model,
        "precision": precision,
        "data.labels": None if labels is None else names_of(labels),
        "data.strict": strict or None,
    }
    if protocol is not None:
        chosen["data.train_per_class"], chosen["data.test_per_class"] = _protocol(protocol)
    settings = {key: value for key, value in chosen.items() if value is not None}
    given = dataset if dataset is not None else dataset_option
    if resume is not None and (settings or assignments or recipe or out or given):
        raise InputError("--resume goes on with the run's own recipe and data set; only -p goes with it")

    from stridednet.cli.progress import console_observer
    from stridednet.recipe import DEFAULT_RECIPE, parse_override
    from stridednet.resolve import resolve

    observer = console_observer(quiet=as_json)
    settings |= dict(map(parse_override, assignments or []))
    resolution = None if resume is not None else resolve(given, recipe or DEFAULT_RECIPE, settings)

    from stridednet import pipeline  # only now, since it imports Keras
    from stridednet.machine import claim_process

    claim_process()
    if resolution is not None:
        result = pipeline.follow(resolution, out=out, plot=plot, observer=observer)
    else:
        assert resume is not None  # noqa: S101  -- for the type checker
        result = pipeline.resume(resume, plot=plot, observer=observer)
    if as_json:
        print(json.dumps(result.report, indent=2))
        return
    print(f"\n{result.classification.text}")
    if result.report["data"]["split"] == "per class":
        mean = result.classification.numbers["mean_class_accuracy"]
        print(f"mean accuracy of the {len(result.report['labels'])} classes: {mean:.3f}\n")
    training = result.report["training"]
    print(
        f"{training['images']:,} images in {training['epochs']} epochs and {training['seconds']:.1f} s of training, "
        f"{training['images_per_second']:,.0f} images/s"
    )
    print(f"run: {result.run.folder}")
    if plot is not None:
        print(f"figure: {plot}")


def _protocol(text: str) -> tuple[int, int]:
    train, slash, test = text.partition("/")
    if not slash or not train.isdecimal() or not test.isdecimal() or int(train) == 0:
        raise InputError(f"--protocol wants N/M, such as 30/50. Received: {text!r}")
    return int(train), int(test)


def names_of(text: str) -> tuple[str, ...]:
    """Read names separated by commas.

    Raises:
        InputError: There is none.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise InputError(f"--labels wants names separated by commas. Received: {text!r}")
    return names
