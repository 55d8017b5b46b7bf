"""What language models of kftune share: compilation, and `generate` with a cache."""

import keras_hub
from keras import ops

from kftune.models.beam_cache import beam_cache
from kftune.models.chunked_loss import ChunkedLoss
from kftune.models.n_best import (
    as_stop_token_ids,
    best_of,
    check_n_best,
    n_best,
    own_stop_token_ids,
)
from kftune.models.next_token import STATE, next_token
from kftune.models.prompts import with_prompt
from kftune.models.task_inputs import TASK_OPTIONS, TaskInputs
from kftune.models.trainable_guard import TrainableGuard
from kftune.models.whole_rows import whole_rows


class LanguageModel(TrainableGuard, ChunkedLoss, TaskInputs):
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
        num_start_tokens: `int`. Prompts of so many tokens say nothing yet.
        generates_with_xla: `bool`. True: on TensorFlow, too, XLA compiles `generate`.
    """

    generated_name = "token_ids"
    generated_mask_name = "padding_mask"
    length_names = ("sequence_length",)
    num_start_tokens = 0
    generates_with_xla = True

    def compile(self, optimizer="auto", loss="auto", *, jit_compile="auto", **kwargs):
        """Configures training and generation.

        Args:
            optimizer: `"auto"` for Adam at 2e-5, a name or a `keras.Optimizer`.
            loss: `"auto"` for the cross-entropy of the next token, in nats, the mean
                over all real tokens of a batch; or what `keras.Model.compile` takes.
                See `ChunkedLoss`.
            jit_compile: `bool` or `"auto"`: training as Keras chooses (on TensorFlow
                without a GPU not by XLA), and generation by XLA, which takes a second
                or two longer to start and then half the time.
            **kwargs: `sampler`, `"top_k"` by default, a name or a
                `keras_hub.samplers.Sampler`; others as for `keras.Model.compile`.

        Raises:
            ValueError: if there is no sampler of this name.
        """
        _check_sampler(kwargs.get("sampler"))
        super().compile(
            optimizer=optimizer, loss=loss, jit_compile=jit_compile, **kwargs
        )
        self.generates_with_xla = bool(jit_compile) and not self.run_eagerly

    def get_compile_config(self):
        """Tells how the task was compiled, how it generates among it."""
        config = super().get_compile_config()
        # Keras notes what "auto" came to in training, where generation has its own.
        if config and self.generates_with_xla and not config["jit_compile"]:
            config["jit_compile"] = "auto"
        return config

    def generate(
        self,
        inputs,
        max_length=None,
        stop_token_ids="auto",
        strip_prompt=False,
        *,
        num_return_sequences=1,
        return_scores=False,
    ):
        """Generates texts.

        Args:
            inputs: prompts, one or a list; or, without a preprocessor, a dict of token
                ids and masks; or a `tf.data.Dataset` of batches of these.
            max_length: `int`. Tokens of a generated row at most, prompt included; by
                default the preprocessor's length.
            stop_token_ids: `"auto"` for the preprocessor's, a sequence of `int`, or
                `None` to go on to `max_length`.
            strip_prompt: `bool`. True: texts without the prompts.
            num_return_sequences: `int`, n. Above 1, a search such as
                `kftune.decoding.BeamSearch` gives the best n texts for each input.
            return_scores: `bool`. Whether it gives scores, too: sums of
                log-probabilities in nats, divided by the length penalty.

        Returns:
            List of `str`, one `str` for one, or a dict of arrays `(B, T)` without a
            preprocessor. With `return_scores` or n > 1, in place of each `str`, a list
            of n tuples `(text, score)`, best first; the arrays are `(B, n, T)` then,
            and there are `scores`, float32 `(B, n)`.

        Raises:
            ValueError: if a row has no start token, or is too long, or if n is not one
                that the sampler can give.
            TypeError: if the sampler gives no scores.
        """
        if isinstance(stop_token_ids, str) and self.preprocessor is not None:
            stop_token_ids = own_stop_token_ids(self)
        stop_token_ids = as_stop_token_ids(stop_token_ids)
        # KerasHub writes into it.
        inputs = dict(inputs) if isinstance(inputs, dict) else inputs
        if num_return_sequences == 1 and not return_scores:
            return super().generate(inputs, max_length, stop_token_ids, strip_prompt)
        check_n_best(self.sampler, num_return_sequences)
        return n_best(
            self,
            inputs,
            num_return_sequences,
            max_length=max_length,
            stop_token_ids=stop_token_ids,
            strip_prompt=strip_prompt,
        )

    def make_generate_function(self):
        """Makes what `generate` calls on each batch; compiled unless on PyTorch.

        Returns:
            Function from a dict of tokenised prompts, and `stop_token_ids`, to a dict
            of what was generated. It compiles once for each shape: of a batch, and of
            the shortest prompt in it, rounded up to a power of two.
        """

        def generate(inputs, stop_token_ids=None):
            return best_of(self.generate_rows(inputs, stop_token_ids))

        return generate

    def generate_rows(self, inputs, stop_token_ids=None):
        """Generates for one batch, compiled as `make_generate_function` says.

        Args:
            inputs: dict of tokenised prompts.
            stop_token_ids: sequence of `int` or `None`.

        Returns:
            See `generate_step`.
        """
        return self.run_compiled(with_prompt(self, inputs), stop_token_ids)

    def run_compiled(self, inputs, stop_token_ids=None):
        """Calls `generate_step`, compiled.

        Args:
            inputs: see `generate_step`.
            stop_token_ids: sequence of `int` or `None`.

        Returns:
            See `generate_step`.
        """
        if self.generate_function is None:
            trains_with_xla = self.jit_compile
            self.jit_compile = self.generates_with_xla
            self.generate_function = super().make_generate_function()
            self.jit_compile = trains_with_xla
        stops = as_stop_token_ids(stop_token_ids)
        return self.generate_function(inputs, stop_token_ids=stops)

    def generate_step(self, inputs, stop_token_ids=None):
        """Generates for one batch; can be compiled by XLA.

        Args:
            inputs: dict of tokenised inputs; the generated ones, `(B, T)`, hold the
                prompts, padded on the right. A search ends rows at `row_lengths`,
                `int32` `(B,)`, if they are there. With a state among them, those of
                `next_token`, which is done then.
            stop_token_ids: list of `int` or `None`. Stops when every row has one.

        Returns:
            Dict of the token ids, `int32` tensor `(B, T)`, and their mask, `bool`
            tensor `(B, T)`, True up to and with the first stop token. A search gives
            both for its W beams, `(B, W, T)`, and `scores`, float32 `(B, W)`.
        """
        if STATE in inputs:
            return next_token(self, inputs, stop_token_ids)
        return whole_rows(self, inputs, stop_token_ids)

    def start_state(self, inputs):
        """Makes what `decode_step` goes on from.

        Args:
            inputs: dict of tokenised inputs.

        Returns:
            Nested lists and tuples of tensors, each with the batch as its first axis.
        """
        batch_size, max_length = ops.shape(inputs[self.generated_name])
        return self.backbone.init_cache(batch_size, max_length)

    def start_beams(self, state, num_beams):
        """Makes room for the tokens of W beams a row.

        Args:
            state: see `start_state`.
            num_beams: `int`. W.

        Returns:
            State that `decode_step` takes with a `beam_mask`.
        """
        return beam_cache(state, num_beams)

    def prompt_lengths(self, mask):
        """Counts the tokens that are no part of the length of what a search finds.

        Args:
            mask: `bool` tensor `(B, T)`, True for the tokens of the prompts.

        Returns:
            `int32` tensor `(B, 1)`.
        """
        return ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)

    def source_mask(self, state):
        """Tells which tokens of the source are real.

        Args:
            state: see `start_state`.

        Returns:
            `bool` tensor `(B, S)`, or `None` if there is no source.
        """
        return None

    def decode_step(self, token_ids, state, index, **options):
        """Computes the states of the next tokens of every row.

        Args:
            token_ids: `int32` tensor `(B, P)`.
            state: see `start_state`.
            index: `int` or scalar `int32` tensor. Position of the first token.
            **options: Passed to `step` of the backbone: `beam_mask`, a `bool` tensor
                `(B, W, T·W)`, if the tokens are those of W beams, `(B, W)`.

        Returns:
            Tuple of a float tensor `(B, P, D)` and the new state.
        """
        return self.backbone.step(token_ids, state, index, **options)

    def next_token_logits(self, hidden):
        """Scores the tokens that may come next.

        Args:
            hidden: float tensor `(B, P, D)`.

        Returns:
            Float tensor `(B, P, V)`.
        """
        return self.backbone.logits(hidden)

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


def _check_sampler(name):
    """KerasHub takes an unknown name for the sampler itself."""
    if isinstance(name, str) and (
        not name.islower() or isinstance(keras_hub.samplers.get(name), str)
    ):
        raise ValueError(
            "Expected 'greedy', 'top_k', 'top_p', 'random', 'contrastive', 'beam' or a "
            f"sampler such as kftune.decoding.BeamSearch(). Received: {name!r}"
        )
