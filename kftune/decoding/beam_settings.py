"""The settings of a beam search, checked."""

import dataclasses

from kftune.decoding.check_settings import (
    are_words,
    check_settings,
    is_int,
    is_number,
)


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
        check_settings("BeamSearch", vars(self), _EXPECTED)

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


def _as_list(ids):
    if ids is None:
        return []
    return list(ids) if isinstance(ids, list | tuple) else [ids]


_EXPECTED = {
    "num_beams": (lambda x: is_int(x, 1), "an int >= 1"),
    "length_penalty": (is_number, "a number"),
    "early_stopping": (
        lambda x: isinstance(x, bool) or x == "never",
        'True, False or "never"',
    ),
    "no_repeat_ngram_size": (lambda x: is_int(x, 0), "an int >= 0"),
    "min_length": (lambda x: is_int(x, 0), "an int >= 0"),
    "bad_words_ids": (
        lambda x: x is None or are_words(x),
        "a list of lists of ids >= 0, none of them empty",
    ),
    "forced_bos_token_id": (lambda x: x is None or is_int(x, 0), "an id >= 0 or None"),
    "forced_eos_token_id": (
        lambda x: all(is_int(i, 0) for i in _as_list(x)),
        "an id >= 0, a list of them, or None",
    ),
    "renormalize_logits": (lambda x: isinstance(x, bool), "True or False"),
    "repetition_penalty": (lambda x: is_number(x) and x > 0, "a number > 0"),
    "wu_length_penalty": (
        lambda x: x is None or is_number(x),
        "a number or None",
    ),
    "wu_coverage_penalty": (lambda x: is_number(x) and x >= 0, "a number >= 0"),
}
