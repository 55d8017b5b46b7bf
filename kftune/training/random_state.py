"""The states of all random generators that no model holds.

Keras has no public name for its own one, which draws the seeds of `keras.random`
without a seed. Its private name is used here alone.
"""

import random

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random import seed_generator


def get_random_state():
    """Reads the states of the generators of Python, NumPy, Keras and PyTorch.

    Those of layers, such as dropout's, are among the variables of a model. On PyTorch
    dropout draws from PyTorch's own generator.

    Returns:
        Dict of JSON's types and NumPy arrays.
    """
    of_keras = global_state.get_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR)
    if of_keras is not None:
        of_keras = keras.ops.convert_to_numpy(of_keras.state).tolist()
    state = {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),
        "keras": of_keras,
    }
    if keras.config.backend() == "torch":
        import torch

        state["torch"] = [
            each.tolist()
            for each in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())
        ]
    return state


def set_random_state(state):
    """Puts all generators back.

    Args:
        state: dict that `get_random_state` returned, also after it was JSON.
    """
    if state["keras"] is None:
        global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, None)
    else:
        # Draws from Python's generator if there is none yet, so Python's comes later.
        seed_generator.global_seed_generator().state.assign(state["keras"])
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state(state["numpy"])
    if "torch" in state:
        import torch

        on_cpu, *on_gpus = (torch.tensor(s, dtype=torch.uint8) for s in state["torch"])
        torch.set_rng_state(on_cpu)
        torch.cuda.set_rng_state_all(on_gpus)
