"""Whether a job should be compiled with XLA."""

import keras


def choose_jit_compile():
    """Chooses `jit_compile` for training on this machine with this backend.

    By measurement (`benchmarks/compile_or_not.py`; the times stand in
    docs/batches.md): a compiled step of TensorFlow is slower on a CPU than one without
    XLA, so there no length of job pays for compiling. JAX without compilation runs
    operation by operation, which takes as long to start and is slower then. PyTorch
    compiles again for every new shape. On a GPU, XLA fuses the small operations that
    would each be a launch of their own.

    Returns:
        `bool` for `model.compile(jit_compile=...)`: True on JAX and, if there is a
        GPU, on TensorFlow; False on TensorFlow without a GPU and on PyTorch.

    Example:
    ```python
    jit_compile = kftune.training.choose_jit_compile()
    model.compile("adamw", loss, jit_compile=jit_compile)
    ```
    """
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        # Unlike the list of logical devices, this one does not start TensorFlow.
        return bool(tf.config.list_physical_devices("GPU"))
    return backend == "jax"
