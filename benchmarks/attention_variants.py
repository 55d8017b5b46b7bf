"""What bounds the attention layer, and what other ways of computing it would bring.

    KERAS_BACKEND=jax python benchmarks/attention_variants.py

As benchmarks/attention.py without a mask, with variants of kftune's layer beside it:
one product for query, key and value; heads before positions; plain einsums; and the
four projections alone, which every layer must compute.
"""

import argparse

import keras
from keras import ops
from training_steps import make_input, make_step
from turns import print_circumstances, print_table, time_turns

import kftune


class OneProduct(kftune.layers.MultiHeadAttention):
    """Projects query, key and value by one matrix."""

    def call(self, query, value, **call):
        """Attends without a mask."""
        dense = (self.query_dense, self.key_dense, self.value_dense)
        rows = ops.reshape(query, (-1, query.shape[-1]))
        kernels = [ops.reshape(d.kernel, (rows.shape[-1], -1)) for d in dense]
        parts = ops.split(ops.matmul(rows, ops.concatenate(kernels, axis=1)), 3, axis=1)
        shape = (*query.shape[:2], self.num_heads, self.key_dim)
        heads = [
            ops.reshape(p, shape) + d.bias for p, d in zip(parts, dense, strict=True)
        ]
        return self.output_dense(self._compute_attention(*heads)[0])


class HeadsFirst(kftune.layers.MultiHeadAttention):
    """Puts the axis of the heads before that of the positions."""

    def call(self, query, value, **call):
        """Attends without a mask."""
        dense = (self.query_dense, self.key_dense, self.value_dense)
        q, k, v = (ops.transpose(d(query), (0, 2, 1, 3)) for d in dense)
        scores = ops.matmul(q * self.key_dim**-0.5, ops.transpose(k, (0, 1, 3, 2)))
        heads = ops.matmul(ops.softmax(scores), v)
        return self.output_dense(ops.transpose(heads, (0, 2, 1, 3)))


class Einsums(kftune.layers.MultiHeadAttention):
    """Never takes the fused path."""

    def _can_use_fused(self, query):
        return False


class ProjectionsAlone(kftune.layers.MultiHeadAttention):
    """Projects, and does not attend."""

    def call(self, query, value, **call):
        """Adds what would attend."""
        dense = (self.query_dense, self.key_dense, self.value_dense)
        return self.output_dense(sum(d(query) for d in dense))


SIDES = {
    "kftune": kftune.layers.MultiHeadAttention,
    "keras": keras.layers.MultiHeadAttention,
    "one product": OneProduct,
    "heads first": HeadsFirst,
    "einsums": Einsums,
    "projections alone": ProjectionsAlone,
}


def main():
    """Times all sides and prints their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--turns", type=int, default=21)
    arguments = parser.parse_args()
    print_circumstances()
    shape = (arguments.batch, arguments.length, arguments.hidden)
    sides, weights = {}, None
    for name, cls in SIDES.items():
        head_size = arguments.hidden // arguments.heads
        layer = cls(arguments.heads, head_size, dtype=arguments.dtype)
        layer.build(shape, shape)
        weights = weights or layer.get_weights()
        layer.set_weights(weights)
        sides[name] = make_step(layer, make_input(shape, layer.compute_dtype))
    print_table(time_turns(sides, arguments.turns), "kftune")


if __name__ == "__main__":
    main()
