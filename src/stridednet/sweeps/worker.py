"""A process that trains for a sweep: trials come in on standard input, outcomes go out on standard output, a line each.

Its end of the lines is here, the sweep's end is in `side_by_side`.
"""

import json
import os
import sys
import threading
from queue import SimpleQueue

from stridednet.errors import StridedNetError
from stridednet.machine import claim_process, take_cores
from stridednet.recipe import Recipe
from stridednet.sweeps.axes import Variant
from stridednet.sweeps.folds import Folds
from stridednet.sweeps.trial import Outcome, Trial, run_trial


def order(trial: Trial) -> str:
    """Write a trial as the line that `main` reads."""
    content = {
        "settings": trial.variant.settings,
        "recipe": trial.recipe.model_dump(),
        "hash": trial.data.hash,
    }
    return json.dumps(content)


def main(cores: str) -> None:
    """Train what is asked for until standard input ends, which it does when the sweep's process is gone.

    Args:
        cores: Numbers of the cores to keep to, separated by commas.
    """
    take_cores(int(number) for number in cores.split(","))
    claim_process()
    # What a library or a user's model prints must not stand between the outcomes.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        orders: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=_read_orders, args=(orders,), daemon=True).start()
        folds = Folds(_silent)
        while True:
            print(_answer(orders.get(), folds).to_json(), file=answers, flush=True)


def _read_orders(orders: SimpleQueue[str]) -> None:
    for line in sys.stdin:
        orders.put(line)
    os._exit(0)  # the sweep's process is gone, killed perhaps: do not finish a training that nobody waits for


def _answer(line: str, folds: Folds) -> Outcome:
    content = json.loads(line)
    variant = Variant(tuple((key, value) for key, value in content["settings"]))
    recipe = Recipe(**content["recipe"])
    try:
        data = folds.of(recipe)
    except StridedNetError as error:
        return Outcome(variant.name, recipe.seed, error=str(error))
    if data.hash != content["hash"]:
        return Outcome(variant.name, recipe.seed, error=f"{recipe.data.dataset} has changed since the sweep began")
    return run_trial(Trial(variant, recipe.seed, recipe, data))


def _silent(_: str) -> None:
    pass


if __name__ == "__main__":
    main(sys.argv[1])
