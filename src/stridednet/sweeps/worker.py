"""A worker process of a sweep: reads trials from standard input, writes outcomes to standard output, one per line.

The process that starts the workers is in `side_by_side`.
"""

import dataclasses
import json
import os
import sys
import threading
from queue import SimpleQueue

from stridednet.data.fold_assignment import Fold
from stridednet.errors import StridedNetError
from stridednet.machine import take_cores
from stridednet.recipe import Recipe
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.trial import Outcome, Trial, run_trial
from stridednet.threads import claim_process


def request(trial: Trial) -> str:
    """Return a trial as the line of JSON that `main` reads."""
    content = {
        "settings": trial.variant.settings,
        "fold": dataclasses.asdict(trial.fold),
        "recipe": trial.recipe.model_dump(),
        "hash": trial.data.hash,
    }
    return json.dumps(content)


def main(cores: str) -> None:
    """Train the requested trials until standard input is closed, which happens when the sweep's process ends.

    Args:
        cores: Numbers of the cores to run on, separated by commas.
    """
    take_cores(int(number) for number in cores.split(","))
    claim_process()
    # Whatever a library or a user's model prints goes to standard error, not between the outcomes.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        requests: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
        folds = Folds(_silent)
        while True:
            print(_answer(requests.get(), folds).to_json(), file=answers, flush=True)


def _read_requests(requests: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)  # the sweep's process has ended, perhaps killed: nobody waits for the current training


def _answer(line: str, folds: Folds) -> Outcome:
    content = json.loads(line)
    variant = Variant(tuple((key, value) for key, value in content["settings"]))
    recipe, fold = Recipe(**content["recipe"]), Fold(**content["fold"])
    place = (variant.name, fold.repetition, fold.number)
    try:
        data = folds.of(recipe, fold)
    except StridedNetError as error:
        return Outcome(*place, error=str(error))
    if data.hash != content["hash"]:
        return Outcome(*place, error=f"{recipe.data.dataset} has changed since the sweep began")
    return run_trial(Trial(variant, fold, recipe, data))


def _silent(_: str) -> None:
    pass


if __name__ == "__main__":
    main(sys.argv[1])
