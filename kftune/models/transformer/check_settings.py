"""Finds arguments that do not fit together."""

from kftune.models.transformer.make_layers import POSITION_EMBEDDINGS


def check_settings(encoder, decoder, both):
    """Checks the arguments of a `TransformerBackbone`.

    Args:
        encoder: dict of sizes of the encoder.
        decoder: dict of sizes of the decoder.
        both: dict of the other arguments.

    Raises:
        ValueError: naming every argument that does not fit.
    """
    wrong = [*_wrong_sizes("", encoder), *_wrong_sizes("decoder_", decoder)]
    if both["position_embedding"] not in POSITION_EMBEDDINGS:
        wrong.append(
            f"expected position_embedding in {POSITION_EMBEDDINGS}. Received: "
            f"{both['position_embedding']!r}"
        )
    tables = [[s["vocabulary_size"], s["hidden_dim"]] for s in (encoder, decoder)]
    if both["share_embeddings"] and tables[0] != tables[1]:
        wrong.append(
            "expected share_embeddings=False for tables of two sizes. Received: "
            f"vocabulary_size and hidden_dim {tables[0]}, of the decoder {tables[1]}"
        )
    if wrong:
        raise ValueError("TransformerBackbone: " + "; ".join(wrong))


def _wrong_sizes(prefix, sizes):
    for name, value in sizes.items():
        if value < 1:
            yield f"expected {prefix}{name} >= 1. Received: {value!r}"
    heads, width = sizes["num_heads"], sizes["hidden_dim"]
    if heads >= 1 and width % heads:
        yield (
            f"expected {prefix}num_heads to divide {prefix}hidden_dim. Received: "
            f"{heads} and {width}"
        )
