"""Classifies texts with a language model that writes texts of each class."""

import numpy as np
from sklearn.utils.extmath import softmax

from kftune.evaluation.answer_scores import score_answers
from kftune.models.texts import list_of_texts


class GenerativeClassifier:
    """Tells behind the prompt of which class a text is the likeliest.

    By Bayes' rule, the probability of a class is in proportion to that of the text
    behind its prompt, times the share of the class (Yogatama et al. 2017,
    https://arxiv.org/abs/1703.01898). Letters: N texts, C classes.

    Args:
        task: `kftune.models.GPT2CausalLM` with a preprocessor, trained on texts behind
            such prompts.
        prompts: sequence of C `str`, that of each class; see
            `kftune.data.label_prompts`.
        shares: sequence of C `float` from 0, how frequent each class is, in any unit;
            `None`: all are alike.

    Raises:
        ValueError: if there are not as many shares as prompts, one is negative, or all
            are 0.

    Example:
    ```python
    task = kftune.models.GPT2CausalLM.from_preset("gpt2_tiny_en")
    classifier = GenerativeClassifier(task, ["fresh review:", "rotten review:"])
    classifier.predict([" A treat.", " A bore."])  # (2, 2)
    ```
    """

    def __init__(self, task, prompts, shares=None):
        self.task = task
        self.prompts = list(prompts)
        shares = [1.0] * len(self.prompts) if shares is None else list(shares)
        if len(shares) != len(self.prompts) or not min(shares) >= 0 < max(shares):
            raise ValueError(
                f"Expected a share from 0 for each of {len(self.prompts)} prompts, not "
                f"0 for all. Received: {shares}"
            )
        self.shares = np.array(shares, "float64")

    def predict(self, answers):
        """Computes the probabilities of the classes, a pass over the texts for each.

        Args:
            answers: sequence of N `str`, the texts as they follow the prompts.

        Returns:
            float64 array of shape `(N, C)`; each row sums to 1.

        Raises:
            TypeError: if it is one text.
        """
        answers = list_of_texts(answers)
        scores = [
            score_answers(self.task, [prompt] * len(answers), answers)
            for prompt in self.prompts
        ]
        likelihoods = [score.log_probabilities for score in scores]
        with np.errstate(divide="ignore"):  # a class of share 0 has no probability
            priors = np.log(self.shares)
        return softmax(np.stack(likelihoods, axis=-1) + priors)
