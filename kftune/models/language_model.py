"""What language models of kftune share: compilation, and `generate` with a cache."""

import keras
import numpy as np
from keras import ops

from kftune.models.layer_tree import sublayers
from kftune.models.rounded_length import rounded_length
from kftune.models.task_inputs import TASK_OPTIONS, TaskInputs
from kftune.models.trainable_guard import TrainableGuard

_PROMPT = "prompt_token_ids"


class LanguageModel(TrainableGuard, TaskInputs):
    """Mixin for `keras_hub.models.CausalLM` tasks on a backbone with `step`.

    `generate` runs the prompt through the model in one pass and then a token a step,
    with one (key, value) pair a layer; rows with longer prompts take theirs in place of
    what the sampler chose. Every KerasHub sampler that needs one model works. Letters:
    B batch, T length of what is generated, P length of the prompts, D hidden,
    V vocabulary.

    Attributes:
        generated_name: `str`, key of the token ids that are generated.
        generated_mask_name: `str`, key of their mask.
        length_names: tuple of `str`, the preprocessor's lengths of rows.
    """

    generated_name = "token_ids"
    generated_mask_name = "padding_mask"
    length_names = ("sequence_length",)

    def compile(self, optimizer="auto", loss="auto", **kwargs):
        """Configures training and generation.

        Args:
            optimizer: `"auto"` for Adam at 2e-5, a name or a `keras.Optimizer`.
            loss: `"auto"` for the cross-entropy of the next token, in nats, the mean
                over all real tokens of a batch; or what `keras.Model.compile` takes.
            **kwargs: `sampler`, `"top_k"` by default, a name or a
                `keras_hub.samplers.Sampler`; others as for `keras.Model.compile`.
        """
        if loss == "auto":
            loss = keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            )
        super().compile(optimizer=optimizer, loss=loss, **kwargs)

    def make_generate_function(self):
        """Makes what `generate` calls on each batch; compiled unless on PyTorch.

        Returns:
            Function from a dict of tokenised prompts, and `stop_token_ids`, to a dict
            of what was generated. It compiles once for each shape: of a batch, and of
            the shortest prompt in it, rounded up to a power of two.
        """
        compiled = super().make_generate_function()

        def generate(inputs, stop_token_ids=None):
            inputs = with_prompt(self, inputs)
            return compiled(inputs, stop_token_ids=stop_token_ids)

        return generate

    def generate_step(self, inputs, stop_token_ids=None):
        """Generates for one batch; can be compiled by XLA.

        Args:
            inputs: dict of tokenised inputs; the generated ones, `(B, T)`, hold the
                prompts, padded on the right.
            stop_token_ids: list of `int` or `None`. Stops when every row has one.

        Returns:
            Dict of the token ids, `int32` tensor `(B, T)`, and their mask, `bool`
            tensor `(B, T)`, True up to and with the first stop token.
        """
        token_ids = inputs[self.generated_name]
        mask = ops.cast(inputs[self.generated_mask_name], "bool")
        prompt = inputs.get(_PROMPT, token_ids)
        state = self.start_state(inputs)
        hidden, state = self.decode_step(prompt, state, 0)

        def next_logits(row, state, index):
            previous = ops.slice(row, (0, index - 1), (ops.shape(row)[0], 1))
            hidden, state = self.decode_step(previous, state, index - 1)
            return self.next_token_logits(hidden)[:, 0], hidden[:, 0], state

        token_ids = self.sampler(
            next=next_logits,
            prompt=token_ids,
            cache=state,
            index=ops.min(ops.sum(ops.cast(mask, "int32"), axis=-1)),
            mask=mask,
            stop_token_ids=stop_token_ids,
            hidden_states=_lengthened(hidden, ops.shape(token_ids)[1]),
            model=self,
        )
        return {
            self.generated_name: token_ids,
            self.generated_mask_name: _before_stop(token_ids, mask, stop_token_ids),
        }

    def start_state(self, inputs):
        """Makes what `decode_step` goes on from.

        Args:
            inputs: dict of tokenised inputs.

        Returns:
            Nested lists and tuples of tensors, each with the batch as its first axis.
        """
        batch_size, max_length = ops.shape(inputs[self.generated_name])
        return self.backbone.init_cache(batch_size, max_length)

    def decode_step(self, token_ids, state, index):
        """Computes the states of the next tokens of every row.

        Args:
            token_ids: `int32` tensor `(B, P)`.
            state: see `start_state`.
            index: `int` or scalar `int32` tensor. Position of the first token.

        Returns:
            Tuple of a float tensor `(B, P, D)` and the new state.
        """
        return self.backbone.step(token_ids, state, index)

    def next_token_logits(self, hidden):
        """Scores the tokens that may come next.

        Args:
            hidden: float tensor `(B, P, D)`.

        Returns:
            Float tensor `(B, P, V)`.
        """
        return self.backbone.logits(hidden)

    def quantize(self, mode=None, **kwargs):
        """Makes integers of the weights; `generate` is compiled again.

        Args:
            mode: `str`, such as `"int8"`.
            **kwargs: Passed to `keras.Model.quantize`.
        """
        # Keras refuses layers that were not called yet, a tokenizer among them.
        for layer in sublayers(self.preprocessor) if self.preprocessor else []:
            layer.built = True
        super().quantize(mode, **kwargs)

    def check_task(self, backbone, preprocessor, options):
        """Refuses what does not fit, and options that Keras would drop silently.

        Args:
            backbone: what the constructor got, as the next two.
            preprocessor: `keras_hub.models.Preprocessor` or `None`.
            options: dict of other arguments.

        Raises:
            TypeError: if the backbone is of another class, or if there is no such
                option.
            ValueError: if the preprocessor makes rows longer than the positions.
        """
        wanted = self.backbone_cls.__name__
        if not isinstance(backbone, self.backbone_cls):
            raise TypeError(
                f"Expected a kftune.models.{wanted} for {type(self).__name__}. "
                f"Received: {type(backbone).__module__}.{type(backbone).__name__}. "
                f"{wanted}.from_keras_hub makes one of KerasHub's."
            )
        if unknown := sorted(set(options) - set(TASK_OPTIONS)):
            raise TypeError(
                f"Expected options of {type(self).__name__}: {list(TASK_OPTIONS)}. "
                f"Received: {unknown}"
            )
        lengths = {n: getattr(preprocessor, n, 0) for n in self.length_names}
        if long := {n: v for n, v in lengths.items() if v > backbone.max_positions}:
            raise ValueError(
                f"Expected lengths <= {backbone.max_positions}, the positions of "
                f"{type(backbone).__name__}. Received: a preprocessor with {long}"
            )


def with_prompt(task, inputs):
    """Checks tokenised prompts and cuts out what one pass has to read.

    Its length decides what is compiled, so it is one of few: the shortest prompt,
    rounded up to a power of two. What is read beyond a row's prompt is overwritten
    before any token attends to it.

    Args:
        task: a `LanguageModel`.
        inputs: dict of tokenised inputs.

    Returns:
        The dict with one more entry.

    Raises:
        ValueError: if there is no row, if a row has no prompt or is not padded on the
            right, or if the rows are longer than the backbone's positions.
    """
    token_ids, mask = (
        _as_numpy(inputs[name])
        for name in (task.generated_name, task.generated_mask_name)
    )
    if not len(mask):
        raise ValueError("Expected at least one prompt. Received: none")
    length = mask.shape[1]
    lengths = mask.astype(bool).sum(axis=1)
    wrong = np.flatnonzero(
        (lengths == 0) | ((np.arange(length) < lengths[:, None]) != mask).any(axis=1)
    )
    if len(wrong):
        raise ValueError(
            "Expected prompts of at least one token, padded on the right. Received a "
            f"mask of {mask[wrong[0]].astype(int).tolist()} at index {wrong[0]}."
        )
    longest = task.backbone.max_positions
    if length > longest:
        raise ValueError(
            f"Expected max_length <= {longest}, the positions of "
            f"{type(task.backbone).__name__}. Received: {length}"
        )
    return {**inputs, _PROMPT: token_ids[:, : rounded_length(lengths.min(), length)]}


def _as_numpy(x):
    return ops.convert_to_numpy(x) if ops.is_tensor(x) else np.asarray(x)


def _lengthened(hidden, length):
    """Pads states with zeros on the right."""
    missing = length - ops.shape(hidden)[1]
    return ops.pad(hidden, ((0, 0), (0, missing), (0, 0))) if missing else hidden


def _before_stop(token_ids, prompt_mask, stop_token_ids):
    """True up to and with the first stop token that is not of the prompt."""
    if stop_token_ids is None:
        return ops.ones_like(token_ids, dtype="bool")
    stops = ops.convert_to_tensor(list(stop_token_ids), dtype=token_ids.dtype)
    found = ops.any(token_ids[:, :, None] == stops, axis=-1)
    found = ops.cast(ops.logical_and(found, ops.logical_not(prompt_mask)), "int32")
    return (ops.cumsum(found, axis=-1) - found) == 0
