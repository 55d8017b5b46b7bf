"""What Hugging Face folders of Marian, BART and M2M100 have in common."""

import dataclasses

import numpy as np
from keras import ops

from kftune.models.converters.computed_tensor import ComputedTensor
from kftune.models.converters.hf_files import check_settings, read_json
from kftune.models.converters.tensor_row import TensorRow, dense_rows, norm_rows
from kftune.models.converters.tensor_table import TensorTable, load_tensors
from kftune.models.transformer.transformer_backbone import TransformerBackbone

# transformers' settings and our arguments.
_SETTINGS = {
    "vocab_size": "vocabulary_size",
    "d_model": "hidden_dim",
    "encoder_layers": "num_layers",
    "encoder_attention_heads": "num_heads",
    "encoder_ffn_dim": "intermediate_dim",
    "decoder_layers": "decoder_num_layers",
    "decoder_attention_heads": "decoder_num_heads",
    "decoder_ffn_dim": "decoder_intermediate_dim",
    "max_position_embeddings": "max_sequence_length",
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "activation_dropout": "activation_dropout",
    "activation_function": "activation",
    "scale_embedding": "scale_embedding",
    "init_std": "initializer_stddev",
}
_DEFAULTS = {"attention_dropout": 0.0, "activation_dropout": 0.0, "init_std": 0.02}
_ACTIVATIONS = {"gelu": "gelu", "relu": "relu", "silu": "silu", "swish": "silu"}
_COMPUTED_HERE = {
    "activation_function": tuple(_ACTIVATIONS),
    "tie_word_embeddings": (True,),
    "is_encoder_decoder": (True,),
}

_SELF_ATTENTION = [
    dense_rows("self_attn.q_proj", "_self_attention_layer._query_dense"),
    dense_rows("self_attn.k_proj", "_self_attention_layer._key_dense"),
    dense_rows("self_attn.v_proj", "_self_attention_layer._value_dense"),
    dense_rows(
        "self_attn.out_proj", "_self_attention_layer._output_dense", input_axes=2
    ),
    norm_rows("self_attn_layer_norm", "_self_attention_layer_norm"),
]
_CROSS_ATTENTION = [
    dense_rows("encoder_attn.q_proj", "_cross_attention_layer._query_dense"),
    dense_rows("encoder_attn.k_proj", "_cross_attention_layer._key_dense"),
    dense_rows("encoder_attn.v_proj", "_cross_attention_layer._value_dense"),
    dense_rows(
        "encoder_attn.out_proj", "_cross_attention_layer._output_dense", input_axes=2
    ),
    norm_rows("encoder_attn_layer_norm", "_cross_attention_layer_norm"),
]
_FEED_FORWARD = [
    dense_rows("fc1", "_feedforward_intermediate_dense"),
    dense_rows("fc2", "_feedforward_output_dense"),
    norm_rows("final_layer_norm", "_feedforward_layer_norm"),
]
_BLOCK = {
    "encoder": [*_SELF_ATTENTION, *_FEED_FORWARD],
    "decoder": [*_SELF_ATTENTION, *_CROSS_ATTENTION, *_FEED_FORWARD],
}


@dataclasses.dataclass(frozen=True)
class EncoderDecoderFormat:
    """How one family of checkpoints says what a `TransformerBackbone` computes.

    Attributes:
        model_type: `str`, in `config.json`.
        architecture: `str`, class in transformers.
        arguments: dict of arguments of `TransformerBackbone` that the family always
            has.
        accepted: dict of setting in `config.json` to tuple of values that are computed
            here; see `check_settings`.
        separate_vocabularies: `bool`. Whether source and target may have vocabularies
            and embeddings of their own.
        unused_positions: `int`, rows of position tables before the first that is used.
        position_name: `str`, of position tables.
        embedding_norm_name: `str`, of normalizations of the sum of the embeddings.

    Example:
    ```python
    backbone = MARIAN.read_backbone(Path("opus-mt-en-de"))
    MARIAN.config(backbone)["d_model"]  # 512
    ```
    """

    model_type: str
    architecture: str
    arguments: dict
    accepted: dict = dataclasses.field(default_factory=dict)
    separate_vocabularies: bool = False
    unused_positions: int = 0
    position_name: str = "embed_positions.weight"
    embedding_norm_name: str = "layernorm_embedding"

    def read_backbone(self, folder, *, load_weights=True, dtype=None):
        """Reads a checkpoint, and checks first that all of it fits.

        Args:
            folder: `Path` with `config.json` and safetensors or `pytorch_model.bin`.
            load_weights: `bool`. False gives random weights.
            dtype: `str`, dtype policy or `None` for Keras's own.

        Returns:
            `TransformerBackbone`.

        Raises:
            FileNotFoundError: if there are no weights to read.
            ValueError: if the model computes something that this format does not, or
                if tensors do not fit; lists them all.
        """
        config = read_json(folder, "config.json")
        check_settings(config, {**_COMPUTED_HERE, **self.accepted}, folder)
        backbone = TransformerBackbone(**self._arguments(config, folder), dtype=dtype)
        if load_weights:
            load_tensors(self.table(backbone), folder)
        return backbone

    def config(self, backbone):
        """Gives what `config.json` says of the architecture.

        Args:
            backbone: `TransformerBackbone`.

        Returns:
            `dict`.

        Raises:
            ValueError: if the family does not compute what the backbone computes;
                lists every argument that differs.
        """
        wrong = self.differences(backbone)
        if wrong:
            raise ValueError(
                f"Expected a backbone that {self.architecture} can compute. Received: "
                + ", ".join(wrong)
            )
        config = {theirs: getattr(backbone, o) for theirs, o in _SETTINGS.items()}
        if self.separate_vocabularies:
            config["decoder_vocab_size"] = backbone.decoder_vocabulary_size
            config["share_encoder_decoder_embeddings"] = backbone.share_embeddings
        return {
            "model_type": self.model_type,
            "architectures": [self.architecture],
            "is_encoder_decoder": True,
            "tie_word_embeddings": True,
            **config,
        }

    def differences(self, backbone):
        """Lists the arguments of a backbone that the family does not have.

        Args:
            backbone: `TransformerBackbone`.

        Returns:
            List of `str`, empty if the backbone can be written.
        """
        expected = {
            **self.arguments,
            "decoder_hidden_dim": backbone.hidden_dim,
            "activation": tuple(_ACTIVATIONS.values()),
        }
        if not self.separate_vocabularies:
            expected["share_embeddings"] = True
        if self.arguments["logits_bias"]:
            expected["logits_bias"] = (True, False)  # a file may lack it
        return [
            f"{name}={getattr(backbone, name)!r} (expected {values!r})"
            for name, values in expected.items()
            if getattr(backbone, name) not in _tuple(values)
        ]

    def table(self, backbone):
        """Makes the table between a file of this family and a backbone.

        Args:
            backbone: `TransformerBackbone`.

        Returns:
            `TensorTable`.
        """
        rows = list(_token_embedding_rows(backbone))
        computed = []
        for side in ("encoder", "decoder"):
            prefix = f"model.{side}."
            if backbone.position_embedding == "learned":
                rows.append(self._position_row(backbone, side))
            else:
                computed.append(self._computed_positions(backbone, side))
            for index, block in enumerate(
                getattr(backbone, f"{side}_transformer_layers")
            ):
                for make_rows in _BLOCK[side]:
                    rows += make_rows(f"{prefix}layers.{index}.", block)
            norms = {
                self.embedding_norm_name: f"{side}_embeddings_layer_norm",
                "layer_norm": f"{side}_layer_norm",
            }
            for name, attribute in norms.items():
                if getattr(backbone, attribute) is not None:
                    rows += norm_rows(name, attribute)(prefix, backbone)
        return TensorTable(rows, "model.", computed, ignored="(en|de)coder.version")

    def _arguments(self, config, folder):
        """Arguments of `TransformerBackbone`."""
        config = {**_DEFAULTS, **config}
        missing = sorted(_SETTINGS.keys() - config.keys())
        if missing:
            raise ValueError(
                f"Expected a {self.model_type} in config.json in {folder}. Received "
                f"one without {', '.join(missing)}"
            )
        arguments = {ours: config[theirs] for theirs, ours in _SETTINGS.items()}
        arguments["activation"] = _ACTIVATIONS[arguments["activation"]]
        shared = config.get("share_encoder_decoder_embeddings", True)
        if self.separate_vocabularies and not shared:
            arguments["share_embeddings"] = False
            arguments["decoder_vocabulary_size"] = config.get("decoder_vocab_size")
        return {**arguments, **self.arguments}

    def _position_row(self, backbone, side):
        layer = getattr(backbone, f"{side}_position_embedding")
        return TensorRow(
            f"model.{side}.{self.position_name}",
            (layer,),
            "position_embeddings",
            input_axes=1,
            unused_rows=self.unused_positions,
        )

    def _computed_positions(self, backbone, side):
        layer = getattr(backbone, f"{side}_position_embedding")
        length = backbone.max_sequence_length
        width = backbone.hidden_dim
        # A table of bfloat16 is too coarse to compare with what a file holds.
        exact = type(layer).from_config({**layer.get_config(), "dtype": "float32"})
        values = exact(
            ops.zeros((1, length, width)), start_index=backbone.position_offset
        )
        return ComputedTensor(
            f"model.{side}.{self.position_name}",
            np.reshape(ops.convert_to_numpy(values), (length, width)),
            unused_rows=self.unused_positions,
        )


def _tuple(values):
    return values if isinstance(values, tuple) else (values,)


def _token_embedding_rows(backbone):
    """Rows of the tables of tokens, which also give the logits, and of their bias."""
    output = backbone.token_embedding
    encoder = "model.encoder.embed_tokens.weight"
    decoder, head = "model.decoder.embed_tokens.weight", "lm_head.weight"
    if backbone.share_embeddings:
        copies = (encoder, decoder, head)
        yield _embedding_row("model.shared.weight", output, copies)
    else:
        yield _embedding_row(encoder, backbone.encoder_token_embedding, ())
        yield _embedding_row(decoder, output, (head,))
    if backbone.logits_bias:
        yield TensorRow(
            "final_logits_bias", (output,), "logits_bias", as_row=True, optional=True
        )


def _embedding_row(name, layer, copies):
    return TensorRow(name, (layer,), "embeddings", input_axes=1, copies=copies)
