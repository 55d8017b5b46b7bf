"""The counts of the report against formulas, and its table."""

import keras
import keras_hub
import pytest

from kftune.tuning import BlockCount, freeze

EMBEDDINGS = [("token_embedding", 50 * 8), ("position_embedding", 16 * 8)]
BLOCK = 4 * (8 * 8 + 8) + 2 * 16 + (8 * 16 + 16) + (16 * 8 + 8)
HEAD = 8 * 3 + 3


def test_counts_by_block(classifier):
    report = freeze(classifier, "all_but_last:1")
    assert report.policy == "all_but_last:1"
    assert report.blocks == (
        *(BlockCount(name, 0, count) for name, count in EMBEDDINGS),
        BlockCount("transformer_layer_0", 0, BLOCK),
        BlockCount("transformer_layer_1", BLOCK, 0),
        BlockCount("layer_norm", 16, 0),
        BlockCount("head", HEAD, 0),
    )
    assert report.trainable_params == BLOCK + 16 + HEAD
    assert report.frozen_params == 50 * 8 + 16 * 8 + BLOCK
    total = report.trainable_params + report.frozen_params
    assert total == classifier.count_params()
    assert report.trained_share == pytest.approx((BLOCK + 16 + HEAD) / total)


def test_a_shared_embedding_counts_once(gpt2):
    report = freeze(keras_hub.models.GPT2CausalLM(gpt2), "nothing")
    assert report.trainable_params == gpt2.count_params()
    assert [block.name for block in report.blocks].count("token_embedding") == 1


def test_moving_statistics_and_weights_of_the_model_itself_are_counted():
    class Scaled(keras.Model):
        def __init__(self):
            super().__init__(name="scaled")
            self.normalization = keras.layers.BatchNormalization(name="below")
            self.scale = self.add_weight(shape=(4,), name="scale")

        def build(self, input_shape):
            self.normalization.build(input_shape)

        def call(self, x):
            return self.scale * self.normalization(x)

    model = Scaled()
    model.build((None, 4))
    report = freeze(model, "nothing")
    assert report.blocks == (BlockCount("below", 8, 8), BlockCount("scaled", 4, 0))


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (keras.optimizers.SGD(), 0),
        (keras.optimizers.SGD(momentum=0.9), 1),
        (keras.optimizers.Adam(), 2),
        (keras.optimizers.Adam(amsgrad=True), 3),
        (keras.optimizers.Adam(gradient_accumulation_steps=2), 3),
    ],
)
def test_optimizer_bytes_are_four_a_slot_and_parameter(optimizer, slots, classifier):
    classifier.compile(optimizer, "mse")
    report = freeze(classifier, "all_but_last:1")
    assert report.optimizer_bytes == slots * 4 * (BLOCK + 16 + HEAD)


def test_half_precision_slots_are_half_as_large():
    dense = keras.layers.Dense(3, dtype="bfloat16")
    model = keras.Sequential([keras.Input((8,)), dense])
    model.compile("adam", "mse")
    assert freeze(model, "nothing").optimizer_bytes == 2 * 2 * HEAD


def test_without_compile_there_are_no_slots_to_count(classifier):
    report = freeze(classifier, "backbone")
    assert report.optimizer_bytes is None
    assert str(report).endswith("optimizer: not compiled yet")


def test_the_printed_table(classifier):
    classifier.compile("adam", "mse")
    lines = str(freeze(classifier, "backbone")).splitlines()
    assert lines[0] == "frozen: backbone"
    cells = [line.split() for line in lines[1:-1]]
    assert cells[0] == ["block", "trainable", "frozen"]
    assert cells[1] == ["token_embedding", "0", "400"]
    assert cells[-2] == ["head", "27", "0"]
    assert cells[-1] == ["all", "27", f"{528 + 2 * BLOCK + 16:,}"]
    assert len({len(line) for line in lines[1:-1]}) == 1
    assert lines[-1] == "optimizer: 0.00 MiB of slots"
