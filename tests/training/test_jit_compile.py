import keras
import pytest

from kftune.training.jit_compile import choose_jit_compile

pytestmark = pytest.mark.backend


def test_choice_without_a_gpu(monkeypatch):
    if keras.config.backend() == "tensorflow":
        import tensorflow as tf

        monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    expected = {"tensorflow": False, "jax": True, "torch": False}
    assert choose_jit_compile() is expected[keras.config.backend()]


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="asks TensorFlow")
def test_tensorflow_compiles_on_a_gpu(monkeypatch):
    import tensorflow as tf

    devices = {"GPU": ["a GPU"]}
    monkeypatch.setattr(tf.config, "list_physical_devices", devices.get)
    assert choose_jit_compile() is True
