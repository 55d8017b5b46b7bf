"""How a checkpoint wants its texts to be decoded."""

import dataclasses

import keras


@keras.saving.register_keras_serializable(package="kftune")
@dataclasses.dataclass(frozen=True, kw_only=True)
class DecodingSettings:
    """What a checkpoint says of decoding, under the names that transformers uses.

    `None` everywhere means that the checkpoint does not say.

    Attributes:
        max_length: `int`. Tokens of the target at most, start and end among them.
        min_length: `int`. No end token before so many tokens.
        num_beams: `int`. 1 means greedy search.
        length_penalty: `float`. The sum of a beam's log-probabilities is divided by its
            length to this power; above 0 favours long targets.
        early_stopping: `bool` or `"never"`. True: stop when there are `num_beams`
            finished beams; False: when no better one is likely; `"never"`: when none
            is possible.
        no_repeat_ngram_size: `int`. N-grams of this many tokens occur at most once.
        repetition_penalty: `float`. Divides positive logits of tokens that were used
            before, and multiplies negative ones; 1 changes nothing.
        bad_words_ids: list of lists of `int`. Sequences of tokens that never occur.
        do_sample: `bool`. False: search, True: sample.
        temperature: `float`. Divides logits before sampling.
        top_k: `int`. Sample among so many tokens.
        top_p: `float` in `(0, 1]`. Sample among the fewest tokens whose probabilities
            add up to it.
        decoder_start_token_id: `int`. First token of the decoder.
        forced_bos_token_id: `int`. Token after the first: a language, for example.
        forced_eos_token_id: `int` or list of `int`. Last token when `max_length` is
            reached.
        eos_token_id: `int` or list of `int`. Ends a target.
        pad_token_id: `int`. Fills up rows.

    Example:
    ```python
    settings = DecodingSettings(num_beams=4, bad_words_ids=[[58100]])
    settings.stated()  # {"num_beams": 4, "bad_words_ids": [[58100]]}
    ```
    """

    max_length: int | None = None
    min_length: int | None = None
    num_beams: int | None = None
    length_penalty: float | None = None
    early_stopping: bool | str | None = None
    no_repeat_ngram_size: int | None = None
    repetition_penalty: float | None = None
    bad_words_ids: list | None = None
    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    decoder_start_token_id: int | None = None
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | list | None = None
    eos_token_id: int | list | None = None
    pad_token_id: int | None = None

    @classmethod
    def first_stated(cls, *configs):
        """Takes each setting from the first source that states it.

        Args:
            *configs: dicts, such as the content of `generation_config.json` and of
                `config.json`. Keys that are no settings are passed over.

        Returns:
            `DecodingSettings`.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        stated = {
            name: next((c[name] for c in configs if c.get(name) is not None), None)
            for name in names
        }
        return cls(**stated)

    def stated(self):
        """Gives the settings that are not `None`.

        Returns:
            `dict` of name to value.
        """
        return {k: v for k, v in dataclasses.asdict(self).items() if v is not None}

    def get_config(self):
        """The constructor's arguments that are not `None`."""
        return self.stated()

    @classmethod
    def from_config(cls, config):
        """Makes the settings from `get_config`."""
        return cls(**config)
