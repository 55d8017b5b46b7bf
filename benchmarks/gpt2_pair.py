"""One GPT-2 of random weights on KerasHub's backbone and on kftune's."""

import keras_hub

import kftune


def add_sizes(parser, layers):
    """Adds the options that say how large the model is."""
    parser.add_argument("--layers", type=int, default=layers)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--vocabulary", type=int, default=50257)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=7)


def make_backbones(arguments):
    """Returns kftune's backbone and KerasHub's, with the same weights."""
    stock = keras_hub.models.GPT2Backbone(
        vocabulary_size=arguments.vocabulary,
        num_layers=arguments.layers,
        num_heads=arguments.hidden // 64,
        hidden_dim=arguments.hidden,
        intermediate_dim=4 * arguments.hidden,
        max_sequence_length=1024,
        dropout=0.0,
    )
    return kftune.models.GPT2Backbone.from_keras_hub(stock), stock
