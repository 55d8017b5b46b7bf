"""An encoder-decoder that reads longer texts than it was trained on."""

from kftune.models.merged_lora import merged_weights
from kftune.models.transformer.transformer_seq2seq_lm import TransformerSeq2SeqLM


def with_positions(task, length):
    """Gives an encoder-decoder more positions, if they are computed.

    Sines and cosines go on for ever, and weights do not depend on their number: what
    the model does with texts that fitted before stays the same. Longer ones it must be
    trained on.

    Args:
        task: `TransformerSeq2SeqLM` with a preprocessor. It is not changed.
        length: `int`, tokens of a text at most.

    Returns:
        `TransformerSeq2SeqLM` with the same weights, rows of `length` tokens on both
        sides, and without decoding settings.

    Raises:
        ValueError: if the positions were learned and there are fewer.

    Example:
    ```python
    task = TransformerSeq2SeqLM.from_preset("transformer_tiny_en_de")
    task.backbone.max_positions  # 128
    with_positions(task, 256).backbone.max_positions  # 256
    ```
    """
    config = task.backbone.get_config()
    longest = config["max_sequence_length"]
    if length > longest and not config["position_embedding"].startswith("sinusoidal"):
        raise ValueError(
            f"Expected a length of at most {longest}, as many positions as were "
            f"learned. Received: {length}"
        )
    del config["name"]
    config["max_sequence_length"] = max(length, longest)
    backbone = type(task.backbone).from_config(config)
    backbone.set_weights(merged_weights(task.backbone))
    preprocessor = type(task.preprocessor)(task.preprocessor.tokenizer, length, length)
    return TransformerSeq2SeqLM(backbone, preprocessor)
