"""Classifies texts with a language model that was not trained to."""

import numpy as np
from sklearn.utils.extmath import softmax

from kftune.error_text import first_few
from kftune.evaluation.answer_scores import score_answers
from kftune.models.texts import list_of_texts

_PLACE = "{text}"


class PromptedClassifier:
    """Asks a language model which answer is the likeliest behind a text.

    A text is put into a template, perhaps behind a few examples with their answers
    (Brown et al. 2020, https://arxiv.org/abs/2005.14165). The probabilities of the
    answers are divided by those that they have behind texts without content, so that an
    answer that the model or the examples favour wins nothing by that (Zhao et al.
    2021, https://arxiv.org/abs/2102.09690). A prompt that is too long loses its
    beginning, with a warning. Letters: N texts, C classes.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor.
        template: `str` with `{text}` in it, where the text stands.
        answers: sequence of C `str`, what follows the template for each class; most
            begin with a space.
        examples: sequence of tuples of a text, `str`, and its class, `int`, in the
            order in which they stand in the prompt.
        separator: `str`, what stands between an answer and the next example or text.
        content_free: sequence of `str`, the texts without content. Without any the
            probabilities are left as they are.
        per_token: `bool`. True: an answer's log-probability is the mean of its tokens,
            where answers differ much in length; False: the sum.

    Raises:
        ValueError: naming every argument that does not fit.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    classifier = PromptedClassifier(
        task, "{text} The film is", [" bad", " good"], [("A treat.", 1)], separator=" "
    )
    classifier.prompt("Fun.")  # "A treat. The film is good Fun. The film is"
    classifier.predict(["Pure joy.", "A bore."]).argmax(axis=-1)
    ```
    """

    def __init__(
        self,
        task,
        template,
        answers,
        examples=(),
        *,
        separator="\n",
        content_free=("N/A", "[MASK]", ""),
        per_token=False,
    ):
        self.task = task
        self.template = template
        self.answers = list(answers)
        self.examples = list(examples)
        self.separator = separator
        self.content_free = list(content_free)
        self.per_token = per_token
        self._check()

    def prompt(self, text):
        """Gives what the model reads before an answer.

        Args:
            text: `str`.

        Returns:
            `str`.
        """
        shown = [self._filled(seen) + self.answers[c] for seen, c in self.examples]
        return self.separator.join([*shown, self._filled(text)])

    def predict(self, texts):
        """Computes the probabilities of the classes, a pass over the texts for each.

        Args:
            texts: sequence of N `str`.

        Returns:
            float64 array of shape `(N, C)`; each row sums to 1.

        Raises:
            TypeError: if it is one text.
        """
        neutral = len(self.content_free)
        texts = [*self.content_free, *list_of_texts(texts)]
        prompts = [self.prompt(text) for text in texts]
        probabilities = softmax(self._log_probabilities(prompts))
        if not neutral:
            return probabilities
        calibrated = probabilities[neutral:] / probabilities[:neutral].mean(axis=0)
        return calibrated / calibrated.sum(axis=-1, keepdims=True)

    def _filled(self, text):
        return self.template.replace(_PLACE, text)

    def _log_probabilities(self, prompts):
        """Of each answer behind each prompt, `(N, C)`."""
        scores = [
            score_answers(self.task, prompts, [answer] * len(prompts))
            for answer in self.answers
        ]
        if self.per_token:
            return np.stack([score.per_token for score in scores], axis=-1)
        return np.stack([score.log_probabilities for score in scores], axis=-1)

    def _check(self):
        wrong = []
        if _PLACE not in self.template:
            wrong.append(f"a template with {_PLACE}, not {self.template!r}")
        if len(set(self.answers)) < max(2, len(self.answers)) or "" in self.answers:
            wrong.append(f"two answers or more, all different, not {self.answers}")
        classes = range(len(self.answers))
        if unknown := [c for _, c in self.examples if c not in classes]:
            wrong.append(
                f"examples of the classes 0 to {len(classes) - 1}, not "
                f"{first_few(unknown)}"
            )
        if wrong:
            raise ValueError(
                "Expected arguments of PromptedClassifier that fit. Received: expected "
                f"{'; '.join(wrong)}"
            )
