"""The settings of a beam search, checked."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeamSettings:
    """What `BeamSearch` is told; see there for what each means.

    Attributes:
        num_beams: `int`.
        length_penalty: `float`.
        early_stopping: `bool` or `"never"`.
        no_repeat_ngram_size: `int`.
        min_length: `int`.
        bad_words_ids: list of lists of `int`, or `None`.
        forced_bos_token_id: `int` or `None`.
        forced_eos_token_id: `int`, list of `int`, or `None`.
        renormalize_logits: `bool`.
        repetition_penalty: `float`.
        wu_length_penalty: `float` or `None`.
        wu_coverage_penalty: `float`.

    Raises:
        ValueError: naming every setting that does not fit.
    """

    num_beams: int
    length_penalty: float
    early_stopping: bool | str
    no_repeat_ngram_size: int
    min_length: int
    bad_words_ids: list | None
    forced_bos_token_id: int | None
    forced_eos_token_id: int | list | None
    renormalize_logits: bool
    repetition_penalty: float
    wu_length_penalty: float | None
    wu_coverage_penalty: float

    def __post_init__(self):
        wrong = [
            f"{name} as {wanted}, not {getattr(self, name)!r}"
            for name, (fits, wanted) in _EXPECTED.items()
            if not fits(getattr(self, name))
        ]
        if wrong:
            raise ValueError(
                "Expected settings of BeamSearch that fit. Received: expected "
                f"{'; '.join(wrong)}"
            )

    @property
    def last_token_ids(self):
        """List of `int`: `forced_eos_token_id` as a list."""
        return _as_list(self.forced_eos_token_id)

    @property
    def stops_when_full(self):
        """`bool`: whether W finished beams are enough. Greedy search needs one."""
        return self.early_stopping is True or self.num_beams == 1

    @property
    def penalises_logits(self):
        """`bool`: whether repetition is penalised as in a greedy search, not a beam's.

        transformers takes logits there, of which positive ones are divided.
        """
        return self.num_beams == 1 and self.repetition_penalty != 1.0

    @property
    def looks_ahead(self):
        """`bool`: whether a beam may be best as long as its row has room."""
        penalty = self.wu_length_penalty
        penalty = self.length_penalty if penalty is None else penalty
        return self.early_stopping == "never" and penalty > 0


def _is_int(value, least):
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < float("inf")


def _are_words(words):
    return isinstance(words, list | tuple) and all(
        isinstance(word, list | tuple) and word and all(_is_int(i, 0) for i in word)
        for word in words
    )


def _as_list(ids):
    if ids is None:
        return []
    return list(ids) if isinstance(ids, list | tuple) else [ids]


_EXPECTED = {
    "num_beams": (lambda x: _is_int(x, 1), "an int >= 1"),
    "length_penalty": (_is_number, "a number"),
    "early_stopping": (
        lambda x: isinstance(x, bool) or x == "never",
        'True, False or "never"',
    ),
    "no_repeat_ngram_size": (lambda x: _is_int(x, 0), "an int >= 0"),
    "min_length": (lambda x: _is_int(x, 0), "an int >= 0"),
    "bad_words_ids": (
        lambda x: x is None or _are_words(x),
        "a list of lists of ids >= 0, none of them empty",
    ),
    "forced_bos_token_id": (lambda x: x is None or _is_int(x, 0), "an id >= 0 or None"),
    "forced_eos_token_id": (
        lambda x: all(_is_int(i, 0) for i in _as_list(x)),
        "an id >= 0, a list of them, or None",
    ),
    "renormalize_logits": (lambda x: isinstance(x, bool), "True or False"),
    "repetition_penalty": (lambda x: _is_number(x) and x > 0, "a number > 0"),
    "wu_length_penalty": (
        lambda x: x is None or _is_number(x),
        "a number or None",
    ),
    "wu_coverage_penalty": (lambda x: _is_number(x) and x >= 0, "a number >= 0"),
}
