"""A new output layer for a new target language, behind a trained encoder."""

from kftune.models.merged_lora import merged_weights
from kftune.models.tokenizers.marian_tokenizer import MarianTokenizer
from kftune.models.transformer.transformer_backbone import TransformerBackbone
from kftune.models.transformer.transformer_seq2seq_lm import TransformerSeq2SeqLM
from kftune.models.transformer.transformer_seq2seq_lm_preprocessor import (
    TransformerSeq2SeqLMPreprocessor,
)


def with_new_target(task, target_tokenizer, *, copy_decoder=False):
    """Makes a translation model into another language on the encoder of a trained one.

    The new model cuts sources as the old one does, and its encoder gives the same
    states. The target has a vocabulary, embeddings and an output of its own, with
    random weights. Freeze with `kftune.tuning.freeze(new, "encoder")` what was copied.

    Args:
        task: `TransformerSeq2SeqLM` with a `MarianTokenizer`. It is not changed.
        target_tokenizer: `MarianTokenizer`, whose target side is taken, such as
            `train_marian_tokenizer(texts, texts, 4000)`.
        copy_decoder: `bool`. True copies the decoder's blocks, positions and norms,
            too; False makes them anew.

    Returns:
        `TransformerSeq2SeqLM`, with the lengths of rows of `task`, and without its
        decoding settings, which speak of the old tokens.

    Raises:
        TypeError: if a tokenizer is no `MarianTokenizer`.
        ValueError: if the new vocabulary lacks a special token of the old one.

    Example:
    ```python
    german = TransformerSeq2SeqLM.from_preset("models/en-de")
    tokenizer = train_marian_tokenizer(pairs["target"], pairs["target"], 4000)
    french = with_new_target(german, tokenizer)
    kftune.tuning.freeze(french, "encoder")
    ```
    """
    preprocessor = task.preprocessor
    old = getattr(preprocessor, "tokenizer", None)
    kinds = [type(tokenizer).__name__ for tokenizer in (old, target_tokenizer)]
    if kinds != [MarianTokenizer.__name__] * 2:
        raise TypeError(
            "Expected a task with a MarianTokenizer, and another one for the target. "
            f"Received: {kinds[0]} and {kinds[1]}"
        )
    tokenizer = old.with_target_of(target_tokenizer)
    config = {
        **task.backbone.get_config(),
        "decoder_vocabulary_size": tokenizer.vocabulary_size(),
        "share_embeddings": False,
    }
    del config["name"]
    backbone = TransformerBackbone.from_config(config)
    trained_backbone = type(task.backbone).from_config(task.backbone.get_config())
    trained_backbone.set_weights(merged_weights(task.backbone))
    backbone.encoder_token_embedding.embeddings.assign(
        trained_backbone.encoder_token_embedding.embeddings
    )
    for side in ("encoder", "decoder") if copy_decoder else ("encoder",):
        layers = (_layers_of(part, side) for part in (trained_backbone, backbone))
        for trained, new in zip(*layers, strict=True):
            new.set_weights(trained.get_weights())
    return TransformerSeq2SeqLM(
        backbone,
        TransformerSeq2SeqLMPreprocessor(
            tokenizer,
            preprocessor.encoder_sequence_length,
            preprocessor.decoder_sequence_length,
        ),
    )


def _layers_of(backbone, side):
    """The layers of one side, its table of tokens left out."""
    names = ("position_embedding", "embeddings_layer_norm", "layer_norm")
    layers = [getattr(backbone, f"{side}_{name}") for name in names]
    layers += getattr(backbone, f"{side}_transformer_layers")
    return [layer for layer in layers if layer is not None]
