import numpy as np
import pytest
from keras import ops

from kftune.models.beam_cache import beam_cache

pytestmark = pytest.mark.backend

LENGTH = 6


def test_beams_find_their_ancestors_places(gpt2_backbone, randomised):
    backbone = randomised(gpt2_backbone)
    rng = np.random.default_rng(0)
    prompt = rng.integers(0, 400, (2, 2)).astype("int32")
    later = rng.integers(0, 400, (2, 3, 3)).astype("int32")  # (B, W, steps)
    parents = np.array([[[0, 1, 2], [2, 0, 0], [1, 1, 2]]] * 2).transpose(1, 0, 2)
    parents[:, 1] = parents[:, 1, ::-1]

    hidden, cache = backbone.step(prompt, backbone.init_cache(2, LENGTH), 0)
    cache = beam_cache(cache, 3)
    ancestors = np.zeros((2, 3, LENGTH), int)
    rows = np.repeat(prompt[:, None], 3, axis=1)
    for step in range(3):
        position = 2 + step
        chosen = parents[step][:, :, None]
        ancestors = np.take_along_axis(ancestors, chosen, axis=1)
        rows = np.take_along_axis(rows, chosen, axis=1)
        ancestors[:, :, position] = np.arange(3)
        rows = np.concatenate([rows, later[:, :, step : step + 1]], axis=2)
        places = ancestors[:, :, :, None] == np.arange(3)
        hidden, cache = backbone.step(
            rows[:, :, -1], cache, position, beam_mask=places.reshape(2, 3, -1)
        )
        flat = rows.reshape(6, -1)
        whole, _ = backbone.step(flat, backbone.init_cache(6, LENGTH), 0)
        expected = ops.convert_to_numpy(whole)[:, -1].reshape(2, 3, -1)
        np.testing.assert_allclose(ops.convert_to_numpy(hidden), expected, atol=1e-5)
    assert cache[0][0].shape == (2, 2, LENGTH * 3, 4)
