"""Whether a job should be compiled with XLA."""

import keras


def choose_jit_compile():
    """Chooses `jit_compile` for training on this machine with this backend.

    Measured with `benchmarks/compile_or_not.py` on two loaded CPU cores, batches of 32
    rows of 16, 32 and 64 tokens; a job is 900 steps, first steps included:

    | backend, model | compiled, cache empty | cache full | not compiled |
    |---|---|---|---|
    | TensorFlow, GPT-2 of 5.3M | 497 s | 421 s | 375 s |
    | TensorFlow, GPT-2 of 22M | 1718 s | 1748 s | 1418 s |
    | JAX, GPT-2 of 5.3M | 928 s | 926 s | 1141 s |

    A compiled step of TensorFlow was 8 to 23 % slower on the CPU than one without XLA,
    so there no length of job pays for compiling. JAX without compilation runs
    operation by operation, which takes as long to start and is slower then. PyTorch
    compiles again for every new shape: a one-layer model with four shapes took two
    minutes to start. On a GPU, XLA fuses the small operations that would each be a
    launch of their own.

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
