"""``stridednet predict``: the classes of pictures, by a trained run."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from stridednet.cli.paths import path_option
from stridednet.cli.streams import own_stderr
from stridednet.cli.trust import TrustedFiles, trusted
from stridednet.errors import InputError

if TYPE_CHECKING:
    from stridednet.deploy.sources import Source
    from stridednet.deploy.stream import Answer
    from stridednet.run import Run

_USUAL_TOPK = 3
_STDIN = "-"
_Advance = Callable[[int], None]


def predict_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Directory of a finished run.")],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="Pictures, folders, patterns such as 'photos/*.jpg', or - for standard input, which is one picture or "
            "a list of paths, one a line.",
        ),
    ],
    topk: Annotated[
        int | None,
        typer.Option(min=1, help=f"Number of classes to show per picture. [default: {_USUAL_TOPK}]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per picture and line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    explain: Annotated[
        Path | None,
        typer.Option(
            parser=path_option,
            metavar="DIR",
            help="Folder for heatmaps (Grad-CAM): which parts of a picture speak for its class.",
        ),
    ] = None,
    trust: TrustedFiles = None,
) -> None:
    """Print the most probable classes of pictures.

    Pictures that cannot be read are named on standard error and skipped; the exit status is then 1.
    """
    if as_json and as_csv:
        raise InputError("--json and --csv exclude each other; choose one")
    import cv2

    from stridednet.cli.predict_output import output_for
    from stridednet.data.quiet import quiet_decoders
    from stridednet.data.tree import shown
    from stridednet.deploy.prediction import Prediction
    from stridednet.deploy.run_model import RunModel
    from stridednet.deploy.sources import from_stdin, in_chunks, listed
    from stridednet.deploy.stream import answers
    from stridednet.run import Run
    from stridednet.storage import user_path

    if images.count(_STDIN) > 1:
        raise InputError(f"standard input can be read once only. Received: {_STDIN!r} {images.count(_STDIN)} times")
    opened = Run.open(user_path(run, "RUN"), trust=any(trusted(trust, run)))
    named = listed([image for image in images if image != _STDIN])
    if not named and _STDIN not in images:
        raise InputError(f"no pictures in {', '.join(shown(image) for image in images)}")
    cv2.setNumThreads(1)  # pictures are decoded in parallel already
    done, skipped = 0, 0
    with ExitStack() as stack:
        screen = stack.enter_context(own_stderr())
        stack.enter_context(quiet_decoders())
        results = sys.stdout
        stack.enter_context(redirect_stdout(screen))  # of what a user's own model prints
        # One thread: others decode meanwhile, and PyTorch's threads would wait for each other. On two cores, the folder
        # of `benchmarks/predict_files.py` takes three quarters of the time.
        model = RunModel(opened, lambda text: print(f"note: {text}", file=screen, flush=True), threads=1)
        model.expect(len(named))
        output = output_for(results, model.labels, min(topk or _USUAL_TOPK, len(model.labels)), as_json, as_csv)
        write_explanations = _explanations(opened, explain)
        output.start([source.path for source in named])
        chunks = _all_chunks(in_chunks(named), from_stdin() if _STDIN in images else ())
        advance = stack.enter_context(_progress(screen, results, None if _STDIN in images else len(named)))
        for answered in stack.enter_context(closing(answers(model, chunks))):
            for answer in answered:
                done += 1
                if answer.probabilities is None:
                    skipped += 1
                    print(f"skipped {shown(str(answer.source.path))}: {answer.problem}", file=screen, flush=True)
                else:
                    output.write(answer.source.path, Prediction.of(model.labels, answer.probabilities))
            results.flush()
            write_explanations(answered)
            advance(len(answered))
    if not done:
        raise InputError("standard input has no paths of pictures")
    if skipped:
        print(f"skipped {skipped:,} of {done:,} pictures", file=sys.stderr)
        raise typer.Exit(1)


def _all_chunks(
    named: "Iterable[Sequence[Source]]", piped: "Iterable[Sequence[Source]]"
) -> "Iterator[Sequence[Source]]":
    yield from named
    yield from piped


def _explanations(run: "Run", folder: Path | None) -> "Callable[[Sequence[Answer]], None]":
    """Return the function that writes what speaks for the class of each picture, if that is wanted."""
    if folder is None:
        return lambda _: None
    from stridednet.deploy.explanations import Explanations

    return Explanations(run, folder).write


@contextmanager
def _progress(screen: TextIO, results: TextIO, total: int | None) -> Iterator[_Advance]:
    """Show a progress bar on a terminal, unless the results appear there; yield a function that advances it."""
    if not screen.isatty() or results.isatty() or total == 1:
        yield lambda _: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from stridednet.cli.consoles import ProgressConsole

    columns = (
        TextColumn("predict"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=ProgressConsole(file=screen), expand=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)
