"""How likely a language model finds answers, each after its prompt."""

import dataclasses

import numpy as np

from kftune.error_text import first_few
from kftune.evaluation.row_nats import row_nats
from kftune.models.answer_rows import answer_rows, check_answers
from kftune.models.texts import list_of_texts
from kftune.models.token_rows import special_ids


@dataclasses.dataclass(frozen=True)
class AnswerScores:
    """How well a language model foresees answers.

    Attributes:
        log_probabilities: float64 array of shape `(N,)`, of each answer given its
            prompt, in nats, at most 0: the sum of its tokens.
        tokens: int array of shape `(N,)`, tokens of each answer.

    Example:
    ```python
    scores = kftune.evaluation.score_answers(task, ["It is"], [" good."])
    scores.per_token, scores.perplexity
    ```
    """

    log_probabilities: np.ndarray
    tokens: np.ndarray

    @property
    def per_token(self):
        """Float64 array of shape `(N,)`, the means in place of the sums."""
        return self.log_probabilities / self.tokens

    @property
    def perplexity(self):
        """Float from 1, by token, of all answers together."""
        return float(np.exp(-self.log_probabilities.sum() / self.tokens.sum()))


def score_answers(task, prompts, answers, *, batch_tokens=4096):
    """Computes the log-probabilities of answers, without their end tokens.

    Prompt and answer are tokenised apart and nothing is put between them, as in
    training. A pair that is longer than the positions of the model loses the beginning
    of its prompt first, then the end of its answer, with a warning.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor.
        prompts: sequence of N `str`. An empty one leaves the start token.
        answers: sequence of N `str`; most begin with a space.
        batch_tokens: `int`. Tokens of a batch at most, padding included.

    Returns:
        `AnswerScores`.

    Raises:
        TypeError: if prompts or answers are one text.
        ValueError: if there are not as many answers as prompts, an answer has no token,
            or there is nothing before it; names the first ones by index.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    scores = score_answers(task, ["The film is"] * 2, [" good.", " bad."])
    scores.log_probabilities  # of two answers
    scores.perplexity
    ```
    """
    prompts, answers = list_of_texts(prompts), list_of_texts(answers)
    check_answers(prompts, answers)
    longest = task.backbone.max_positions
    start = special_ids(task.preprocessor, "start")

    def tokenize(texts):
        return [row[len(start) :] for row in task.preprocessor.prompt_rows(texts)]

    rows, learnt = answer_rows(
        tokenize(prompts),
        tokenize(answers),
        longest,
        start=start,
        advice="These are all positions of the model: shorten the prompts.",
    )
    tokens = np.array([weights.sum() for weights in learnt], int)
    wrong = [i for i, row in enumerate(rows) if not 0 < tokens[i] < len(row)]
    if wrong or not rows:
        raise ValueError(
            "Expected answers of one token or more, and before each a prompt or a "
            f"start token. Received {len(rows)} pairs, others at the indices "
            f"{first_few(wrong)}"
        )
    nats = row_nats(task, rows, tokens, longest, batch_tokens)
    return AnswerScores(-nats, tokens)
