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
        expected = {
            "num_beams": (_is_int(self.num_beams, 1), "an int >= 1"),
            "length_penalty": (_is_number(self.length_penalty), "a number"),
            "early_stopping": (
                isinstance(self.early_stopping, bool) or self.early_stopping == "never",
                'True, False or "never"',
            ),
            "no_repeat_ngram_size": (
                _is_int(self.no_repeat_ngram_size, 0),
                "an int >= 0",
            ),
            "min_length": (_is_int(self.min_length, 0), "an int >= 0"),
            "bad_words_ids": (
                self.bad_words_ids is None or _are_words(self.bad_words_ids),
                "a list of lists of ids >= 0, none of them empty",
            ),
            "forced_bos_token_id": (
                self.forced_bos_token_id is None
                or _is_int(self.forced_bos_token_id, 0),
                "an id >= 0 or None",
            ),
            "forced_eos_token_id": (
                all(_is_int(i, 0) for i in self.last_token_ids),
                "an id >= 0, a list of them, or None",
            ),
            "renormalize_logits": (
                isinstance(self.renormalize_logits, bool),
                "True or False",
            ),
            "repetition_penalty": (
                _is_number(self.repetition_penalty) and self.repetition_penalty > 0,
                "a number > 0",
            ),
            "wu_length_penalty": (
                self.wu_length_penalty is None or _is_number(self.wu_length_penalty),
                "a number or None",
            ),
            "wu_coverage_penalty": (
                _is_number(self.wu_coverage_penalty) and self.wu_coverage_penalty >= 0,
                "a number >= 0",
            ),
        }
        wrong = [
            f"{name} as {wanted}, not {getattr(self, name)!r}"
            for name, (fits, wanted) in expected.items()
            if not fits
        ]
        if wrong:
            raise ValueError(
                f"Expected settings of BeamSearch that fit. Received: expected "
                f"{'; '.join(wrong)}"
            )

    @property
    def last_token_ids(self):
        """List of `int`: `forced_eos_token_id` as a list."""
        forced = self.forced_eos_token_id
        if forced is None:
            return []
        return list(forced) if isinstance(forced, list | tuple) else [forced]

    @property
    def stops_when_full(self):
        """`bool`: whether W finished beams are enough. Greedy search needs one."""
        return self.early_stopping is True or self.num_beams == 1

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
