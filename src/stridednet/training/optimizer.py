"""A recipe's optimizer settings -> a Keras optimizer with its learning-rate schedule."""

import keras

from stridednet.recipe import OptimizerSettings


def build_optimizer(settings: OptimizerSettings, epochs: int) -> keras.optimizers.Optimizer:
    """Build the optimizer.

    ``decay`` is that of the optimizers before Keras 2.11, spread over the epochs as in the tutorial: at step n, counted
    from 0 over the whole training, the learning rate is ``learning_rate / (1 + decay / epochs * n)``.
    """
    schedule = keras.optimizers.schedules.InverseTimeDecay(
        settings.learning_rate, decay_steps=1, decay_rate=settings.decay / epochs
    )
    return keras.optimizers.Adam(schedule)
