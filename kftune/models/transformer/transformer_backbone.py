"""The encoder-decoder Transformer: BART, Marian, M2M100, and models of one's own."""

import keras
import keras_hub

from kftune.models.merged_lora import merged_weights
from kftune.models.pretrained.preset_backbone import PresetBackbone
from kftune.models.transformer.check_settings import check_settings
from kftune.models.transformer.make_layers import make_stack, make_token_embeddings


@keras.saving.register_keras_serializable(package="kftune")
class TransformerBackbone(PresetBackbone, keras_hub.models.Backbone):
    """An encoder-decoder Transformer (Vaswani et al. 2017) up to its last states.

    The first seven arguments, the inputs, the outputs, the names of layers and the
    order of weights are those of `keras_hub.models.BartBackbone`, and describe the
    encoder; the decoder is like it unless its own arguments say otherwise. Rows are
    padded on the right. Letters: B batch, S source length, T target length, L length
    of the cache, D hidden, V vocabulary of the decoder.

    Args:
        vocabulary_size: `int`.
        num_layers: `int`.
        num_heads: `int`, which divides `hidden_dim`.
        hidden_dim: `int`. D.
        intermediate_dim: `int`. Width of the feed-forward layers.
        dropout: `float` in `[0, 1)`, after embeddings and sublayers.
        max_sequence_length: `int`. Positions that can be told apart.
        decoder_vocabulary_size: `int` or `None` for that of the encoder, as the next
            four.
        decoder_num_layers: `int` or `None`.
        decoder_num_heads: `int` or `None`.
        decoder_hidden_dim: `int` or `None`.
        decoder_intermediate_dim: `int` or `None`.
        attention_dropout: `float` in `[0, 1)`, on attention weights. `None` for
            `dropout`.
        activation_dropout: `float` in `[0, 1)`, inside the feed-forward layers.
        activation: `str`, name in `keras.activations`, of the feed-forward layers.
        normalize_first: `bool`. True normalises the input of each sublayer, False the
            sum of its input and output.
        position_embedding: `str`. `"learned"`, as in BART; `"sinusoidal"`, all sines
            before all cosines, as in Marian; `"sinusoidal_fairseq"`, the same with the
            wavelengths of M2M100; `"sinusoidal_interleaved"`, as in the paper.
        position_offset: `int`. Position of the first token: 2 for M2M100.
        scale_embedding: `bool`. Whether token embeddings are multiplied by √D.
        embedding_layer_norm: `bool`. Whether the sum of the embeddings is normalised.
        final_layer_norm: `bool` or `None` for `normalize_first`. Whether the states of
            the last blocks are normalised.
        share_embeddings: `bool`. True: encoder and decoder embed with one table.
        tie_output: `bool`. True: logits are computed with the decoder's table.
        logits_bias: `bool`. True: logits get a bias that is never trained, as in BART
            and Marian checkpoints.
        initializer_stddev: `float`. Of the normal distribution of initial weights.
        remat: `bool`. True: the states inside blocks are computed again for the
            gradients in place of being kept. An attribute, too.
        dtype: `str`, dtype policy or `None` for Keras's own.
        **kwargs: `name` and `trainable`.

    Call arguments:
        inputs: dict of `encoder_token_ids` and `encoder_padding_mask`, `int32` tensors
            `(B, S)`, `decoder_token_ids` and `decoder_padding_mask`, `(B, T)`. 1 in a
            mask means a real token.

    Returns:
        Dict of `encoder_sequence_output`, float tensor `(B, S, D)`, and
        `decoder_sequence_output`, `(B, T, D)`.

    Raises:
        ValueError: naming every argument that does not fit.

    Example:
    ```python
    backbone = TransformerBackbone(
        vocabulary_size=50, num_layers=2, num_heads=2, hidden_dim=8,
        intermediate_dim=16, decoder_num_layers=1, normalize_first=True,
    )
    source, target = np.ones((4, 9), "int32"), np.ones((4, 5), "int32")
    backbone({
        "encoder_token_ids": source, "encoder_padding_mask": source,
        "decoder_token_ids": target, "decoder_padding_mask": target,
    })["decoder_sequence_output"]  # (4, 5, 8)

    encoded = backbone.project_encoder(backbone.encode(source, source))
    cache = backbone.init_cache(4, 16)
    hidden, cache = backbone.step(
        target, cache, 0, encoder_key_values=encoded, encoder_padding_mask=source
    )  # (4, 5, 8)
    logits = backbone.logits(hidden)  # (4, 5, 50)
    ```
    """

    keras_hub_cls = keras_hub.models.BartBackbone

    def __init__(  # noqa: PLR0917 (KerasHub order)
        self,
        vocabulary_size,
        num_layers,
        num_heads,
        hidden_dim,
        intermediate_dim,
        dropout=0.1,
        max_sequence_length=1024,
        *,
        decoder_vocabulary_size=None,
        decoder_num_layers=None,
        decoder_num_heads=None,
        decoder_hidden_dim=None,
        decoder_intermediate_dim=None,
        attention_dropout=None,
        activation_dropout=0.0,
        activation="relu",
        normalize_first=False,
        position_embedding="sinusoidal",
        position_offset=0,
        scale_embedding=True,
        embedding_layer_norm=False,
        final_layer_norm=None,
        share_embeddings=True,
        tie_output=True,
        logits_bias=False,
        initializer_stddev=0.02,
        remat=False,
        dtype=None,
        **kwargs,
    ):
        # === Config ===
        encoder = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
        }
        decoder = {
            "vocabulary_size": decoder_vocabulary_size,
            "num_layers": decoder_num_layers,
            "num_heads": decoder_num_heads,
            "hidden_dim": decoder_hidden_dim,
            "intermediate_dim": decoder_intermediate_dim,
        }
        decoder = {name: _first_given(decoder[name], encoder[name]) for name in encoder}
        both = {
            "dropout": dropout,
            "max_sequence_length": max_sequence_length,
            "attention_dropout": _first_given(attention_dropout, dropout),
            "activation_dropout": activation_dropout,
            "activation": activation,
            "normalize_first": normalize_first,
            "position_embedding": position_embedding,
            "position_offset": position_offset,
            "scale_embedding": scale_embedding,
            "embedding_layer_norm": embedding_layer_norm,
            "final_layer_norm": _first_given(final_layer_norm, normalize_first),
            "share_embeddings": share_embeddings,
            "tie_output": tie_output,
            "logits_bias": logits_bias,
            "initializer_stddev": initializer_stddev,
            "remat": remat,
        }
        check_settings(encoder, decoder, both)

        # === Layers ===
        encoder_embedding, decoder_embedding = make_token_embeddings(
            encoder, decoder, both, dtype
        )
        self._encoder = make_stack(
            "encoder", encoder_embedding, {**encoder, **both}, dtype
        )
        self._decoder = make_stack(
            "decoder", decoder_embedding, {**decoder, **both}, dtype
        )
        # In this order Keras lists the weights, which is that of KerasHub's BART.
        self.token_embedding = decoder_embedding
        self.encoder_token_embedding = encoder_embedding
        for side, stack in (("encoder", self._encoder), ("decoder", self._decoder)):
            setattr(self, f"{side}_position_embedding", stack.position_embedding)
            setattr(self, f"{side}_embeddings_layer_norm", stack.embedding_norm)
            setattr(self, f"{side}_transformer_layers", stack.blocks)
            setattr(self, f"{side}_layer_norm", stack.layer_norm)

        # === Functional Model ===
        inputs = {
            name: keras.Input((None,), dtype="int32", name=name)
            for name in (
                "encoder_token_ids",
                "encoder_padding_mask",
                "decoder_token_ids",
                "decoder_padding_mask",
            )
        }
        encoded = self.encode(
            inputs["encoder_token_ids"], inputs["encoder_padding_mask"]
        )
        decoded = self._decoder(
            inputs["decoder_token_ids"],
            padding_mask=inputs["decoder_padding_mask"],
            encoder_sequence=encoded,
            encoder_padding_mask=inputs["encoder_padding_mask"],
        )
        super().__init__(
            inputs=inputs,
            outputs={
                "encoder_sequence_output": encoded,
                "decoder_sequence_output": decoded,
            },
            dtype=dtype,
            **kwargs,
        )

        self._settings = {
            **encoder,
            **{f"decoder_{name}": value for name, value in decoder.items()},
            **both,
        }
        for name, value in self._settings.items():
            setattr(self, name, value)

    @classmethod
    def from_keras_hub(cls, backbone):
        """Makes one with the weights of KerasHub's BART.

        Args:
            backbone: `keras_hub.models.BartBackbone`.

        Returns:
            `TransformerBackbone`.
        """
        bart = {
            "activation": "gelu",
            "position_embedding": "learned",
            "scale_embedding": False,
            "embedding_layer_norm": True,
        }
        ours = cls.from_config({**backbone.get_config(), **bart})
        ours.set_weights(merged_weights(backbone))
        return ours

    @property
    def max_positions(self):
        """`int`, how many tokens a row may have."""
        return self.max_sequence_length

    @property
    def remat(self):
        """`bool`, see the class; may be set before training is compiled."""
        return self._decoder.remat

    @remat.setter
    def remat(self, remat):
        self._encoder.remat = self._decoder.remat = remat

    def encode(self, encoder_token_ids, encoder_padding_mask):
        """Computes the states of whole source rows.

        Args:
            encoder_token_ids: `int32` tensor `(B, S)`.
            encoder_padding_mask: `int32` or `bool` tensor `(B, S)`. 1 means a real
                token.

        Returns:
            Float tensor `(B, S, D)`.
        """
        return self._encoder(encoder_token_ids, padding_mask=encoder_padding_mask)

    def project_encoder(self, encoder_sequence):
        """Projects encoded rows to keys and values, once for all steps.

        Args:
            encoder_sequence: float tensor `(B, S, D)`, see `encode`.

        Returns:
            List with a (key, value) pair for each decoder layer.
        """
        return [
            block.project_encoder(encoder_sequence)
            for block in self.decoder_transformer_layers
        ]

    def init_cache(self, batch_size, max_length):
        """Makes an empty cache for `step`.

        Args:
            batch_size: `int`. B.
            max_length: `int`. L.

        Returns:
            List with a (key, value) pair for each decoder layer.
        """
        return self._decoder.init_cache(batch_size, max_length)

    def step(
        self,
        token_ids,
        cache,
        index,
        *,
        encoder_key_values,
        encoder_padding_mask,
        padding_mask=None,
        beam_mask=None,
        source_weights=None,
    ):
        """Computes the states of the next tokens of rows whose beginning is cached.

        Args:
            token_ids: `int32` tensor `(B, T)`: a whole prompt, or one token a row.
            cache: list of pairs, see `init_cache`.
            index: `int` or scalar `int32` tensor. Position of the first token, from 0.
            encoder_key_values: list of pairs, see `project_encoder`.
            encoder_padding_mask: `int32` or `bool` tensor `(B, S)`. 1 means a real
                token.
            padding_mask: `bool` tensor `(B, L)` or `None`. True means a position that
                may be attended to, if it is not a later one.
            beam_mask: `bool` tensor `(B, W, L·W)` or `None`. With it `token_ids` is
                `(B, W)`, those of W beams at one position, and the cache is what
                `beam_cache` gave; True means a place of the beam.
            source_weights: `list` or `None`. The attention weights of the last layer on
                the source are appended to it, a float tensor `(B, N, T, S)`.

        Returns:
            Tuple of the states, a float tensor `(B, T, D)`, and the new cache.
        """
        return self._decoder.step(
            token_ids,
            cache,
            index,
            encoder_key_values=encoder_key_values,
            encoder_padding_mask=encoder_padding_mask,
            padding_mask=padding_mask,
            beam_mask=beam_mask,
            source_weights=source_weights,
        )

    def logits(self, hidden):
        """Scores every token of the decoder's vocabulary.

        Args:
            hidden: float tensor `(B, T, D)`, states of the decoder.

        Returns:
            Float tensor `(B, T, V)`.
        """
        return self.token_embedding(hidden, reverse=True)

    def get_config(self):
        """The constructor's arguments."""
        return {**super().get_config(), **self._settings, "remat": self.remat}


def _first_given(value, default):
    return default if value is None else value
