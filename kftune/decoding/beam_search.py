"""Beam search by the rules of transformers, as a sampler."""

import dataclasses

import keras
import keras_hub

from kftune.decoding.beam_loop import BeamLoop
from kftune.decoding.beam_settings import BeamSettings
from kftune.decoding.finished_beams import best_rows

# What a checkpoint may say of a search; where it is silent, transformers searches
# greedily and without rules.
_SETTINGS = (
    "num_beams",
    "length_penalty",
    "early_stopping",
    "no_repeat_ngram_size",
    "min_length",
    "bad_words_ids",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "repetition_penalty",
)


@keras.saving.register_keras_serializable(package="kftune")
class BeamSearch(keras_hub.samplers.Sampler):
    """Searches for the likeliest texts, token for token as transformers does.

    Of all continuations of a row's W beams the best 2·W are looked at in each step (as
    many more for each further stop token). Those among the first W that end are
    finished; the best W that do not end go on. The score of a finished beam is the sum
    of the log-probabilities of its generated tokens, end included, divided by their
    number to the power of `length_penalty`. Rows at `max_length` count as finished.
    Prompts are free: they add nothing to scores or lengths. As in transformers, the
    `<s>` of BART and the language of M2M100 and NLLB are no prompt: they are generated,
    with probability 1.

    A row does not depend on the other rows of its batch. If two candidates have the
    same score, or differ by no more than the rounding of float32, either may win.

    `task.generate` gives the best text, and with `num_return_sequences` and
    `return_scores` the best ones and their scores. The search is compiled, has fixed
    shapes and ends when the last row has its result. The cache is never copied: beams
    find their ancestors' places by a mask. On PyTorch the search runs eagerly.

    Args:
        num_beams: `int`. W. 1 is greedy search.
        length_penalty: `float`. Above 0 favours long texts.
        early_stopping: `bool` or `"never"`. When a row is done: True, with W finished
            beams; False, when the best beam that runs would not be among them if it
            ended now; `"never"`, when it cannot be at any length.
        no_repeat_ngram_size: `int`, n. N-grams of tokens occur once at most in a row,
            start token and prompt included. 0: no such rule.
        min_length: `int`. No end before a row has so many tokens, start token and
            prompt included.
        bad_words_ids: list of lists of `int`. Sequences of tokens that never occur.
            `None`: those of the task's `decoding_settings`.
        forced_bos_token_id: `int` or `None`. The second token of a row.
        forced_eos_token_id: `int`, list of `int`, or `None`. The last token of a row
            that reaches `max_length`.
        renormalize_logits: `bool`. True: probabilities of what the rules leave add up
            to 1 again.
        repetition_penalty: `float`. Multiplies the log-probabilities of tokens that the
            row has already; with one beam, divides their logits above 0 and multiplies
            those below, as transformers does. 1: no such rule.
        wu_length_penalty: `float` or `None`. alpha of Wu et al.: sums are divided by
            ((5 + n) / 6)^alpha in place of n^`length_penalty`.
        wu_coverage_penalty: `float`. beta of Wu et al.: a finished beam gets beta·Σ
            log(min(a, 1)), a the attention that a token of the source got from the
            generated tokens, mean of the heads of the last layer. 0: no such rule.

    Raises:
        ValueError: naming every argument that does not fit.
        TypeError: if a task cannot be searched: it is not of kftune, or has no source
            to cover.

    Reference:
        `transformers.GenerationMixin.generate`; Wu et al., 2016,
        https://arxiv.org/abs/1609.08144

    Example:
    ```python
    task = kftune.models.TransformerSeq2SeqLM.from_preset("opus-mt-en-de")
    task.compile(sampler=BeamSearch(num_beams=5, length_penalty=0.6))
    task.generate(["Good morning."], num_return_sequences=2, return_scores=True)
    # [[("Guten Morgen.", -0.31), ("Guten Morgen!", -0.52)]]
    ```
    """

    gives_scores = True

    def __init__(
        self,
        num_beams=4,
        length_penalty=1.0,
        early_stopping=False,
        *,
        no_repeat_ngram_size=0,
        min_length=0,
        bad_words_ids=None,
        forced_bos_token_id=None,
        forced_eos_token_id=None,
        renormalize_logits=False,
        repetition_penalty=1.0,
        wu_length_penalty=None,
        wu_coverage_penalty=0.0,
    ):
        super().__init__()
        self.settings = BeamSettings(
            num_beams=num_beams,
            length_penalty=length_penalty,
            early_stopping=early_stopping,
            no_repeat_ngram_size=no_repeat_ngram_size,
            min_length=min_length,
            bad_words_ids=bad_words_ids,
            forced_bos_token_id=forced_bos_token_id,
            forced_eos_token_id=forced_eos_token_id,
            renormalize_logits=renormalize_logits,
            repetition_penalty=repetition_penalty,
            wu_length_penalty=wu_length_penalty,
            wu_coverage_penalty=wu_coverage_penalty,
        )

    @classmethod
    def from_settings(cls, settings, **changes):
        """Makes the search that a checkpoint asks for.

        Args:
            settings: `kftune.models.DecodingSettings`. Where it is silent, the search
                is that of transformers: one beam, no rules. Its `max_length` is not
                among them: pass it to `generate`.
            **changes: arguments of the class, which go before.

        Returns:
            `BeamSearch`.

        Raises:
            ValueError: if the checkpoint wants to sample, or says what does not fit.
        """
        if settings.do_sample:
            raise ValueError(
                "Expected settings of a search. Received: do_sample=True; use a "
                "sampler such as keras_hub.samplers.TopPSampler, or set it to False"
            )
        stated = settings.stated()
        said = {name: stated[name] for name in _SETTINGS if name in stated}
        return cls(**{"num_beams": 1, **said, **changes})

    @property
    def num_beams(self):
        """`int`, W."""
        return self.settings.num_beams

    def search(
        self,
        model,
        token_ids,
        mask,
        state,
        *,
        index,
        stop_token_ids=None,
        row_lengths=None,
    ):
        """Searches; `generate` calls it. Letters: B batch, W beams, T length.

        Args:
            model: `kftune.models.LanguageModel`.
            token_ids: `int32` tensor `(B, T)`, the prompts.
            mask: `bool` tensor `(B, T)`, True for their tokens.
            state: see `LanguageModel.start_state`; the tokens before `index - 1`, at
                least, were read.
            index: scalar `int32` tensor, length of the shortest prompt.
            stop_token_ids: sequence of `int` or `None`.
            row_lengths: `int32` tensor `(B,)` or `None` for T: where each row ends at
                the latest, though it has T places.

        Returns:
            Tuple of `int32` token ids `(B, W, T)` and float32 scores `(B, W)`, best
            first.
        """
        loop = BeamLoop(
            self.settings,
            model,
            token_ids,
            mask,
            state,
            stop_token_ids=list(stop_token_ids or ()),
            row_lengths=row_lengths,
        )
        running, finished, _, _ = self.run_loop(
            loop.is_open,
            loop.step,
            model=model,
            loop_vars=loop.start(state, index),
            maximum_iterations=loop.longest - index,
        )
        return best_rows(finished, running)

    def __call__(self, *args, model=None, **kwargs):
        """Refuses tasks that are not searched by `search`.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            "Expected a task of kftune.models, such as TransformerSeq2SeqLM. Received: "
            f"{type(model).__name__}. keras_hub.samplers.BeamSampler searches others"
        )

    def get_config(self):
        """The constructor's arguments."""
        return dataclasses.asdict(self.settings)
