"""From passages to the rows and targets that a GPT-2 is pretrained on."""

import numpy as np

from kftune.data import NextTokenBatches, pack
from kftune.models import fast_tokenizer


def passages_alone(passages, corpora):
    """Choose the training passages that come alone, the ones a teacher is asked about.

    Args:
        passages: `datasets.Dataset` of `read_pretraining_corpora`.
        corpora: sequence of `PretrainingCorpus`; `repeat` says how often each of its
            passages comes: 2.15 twice, and some 15 % of them, always the same, once
            more.

    Returns:
        int64 array, indices of passages, each as often as it comes.

    Example:
    ```python
    asked = passages.select(passages_alone(passages, corpora))
    ```
    """
    names = np.array(passages["corpus"])
    training = ~np.array(passages["validation"])
    lots = np.random.default_rng(0).random(len(names))
    times = np.zeros(len(names), int)
    for corpus in corpora:
        chosen = training & (names == corpus.name)
        times[chosen] = np.floor(corpus.repeat + 1 - lots[chosen])
    return np.repeat(np.arange(len(names)), times)


class PretrainingRows:
    """Passages as rows: each alone with its targets, and packed into whole contexts.

    A passage alone is `<|endoftext|> text <|endoftext|>`; the state of its last token
    is what the teacher's answers are learnt with. Packed rows go on over passages and
    documents and teach the language model alone.

    Args:
        passages: `datasets.Dataset` of `read_pretraining_corpora`.
        corpora: sequence of `PretrainingCorpus` that they were read from.
        tokenizer: `keras_hub.models.GPT2Tokenizer`.
        answers: dict of `Teacher.ask` for the distinct `passages_alone` in ascending
            order; `None` without a teacher.
        context: int, tokens of a packed row.
        passage_length: int, the most tokens of a passage alone, both ends included;
            at most `context`.
        max_tokens: int, tokens a batch, padding included.

    Raises:
        ValueError: If the answers are not as many as those passages.

    Example:
    ```python
    rows = PretrainingRows(passages, corpora, tokenizer)
    model.fit(rows.cycle(0))
    ```
    """

    def __init__(
        self,
        passages,
        corpora,
        tokenizer,
        answers=None,
        *,
        context=256,
        passage_length=64,
        max_tokens=4096,
    ):
        self.corpora = list(corpora)
        self.end_token_id = tokenizer.end_token_id
        self.context = context
        self.passage_length = min(passage_length, context)
        self.max_tokens = max_tokens
        encoded = fast_tokenizer(tokenizer).encode_batch_fast(passages["text"])
        self._token_rows = [passage.ids for passage in encoded]
        self._names = np.array(passages["corpus"])
        self._document = np.array(passages["document"])
        self._held_out = np.array(passages["validation"])
        self._alone = passages_alone(passages, corpora)
        self._targets = {}
        if answers is not None:
            self._targets = _targets(passages, np.unique(self._alone), answers)

    def cycle(self, number):
        """One pass over the training passages.

        Args:
            number: int, from 0. Decides the order, where packed rows are cut, and
                which of them a corpus with a `share` gives.

        Returns:
            `NextTokenBatches`.
        """
        packed = []
        for corpus in self.corpora:
            rows = self._packed(self._indices(corpus.name, held_out=False), number)
            chosen = np.random.default_rng(number).random(len(rows)) < corpus.share
            packed.extend(rows[chosen])
        return self._batches(self._alone, packed, seed=number)

    def held_out(self, most=640):
        """The first held-out passages of each corpus.

        Args:
            most: int, how many passages of a corpus at most.

        Returns:
            Dict of name to `NextTokenBatches`, of the corpora that hold something out.
        """
        chosen = {
            corpus.name: self._indices(corpus.name, held_out=True)[:most]
            for corpus in self.corpora
        }
        return {
            name: self._batches(indices, [], shuffle=False)
            for name, indices in chosen.items()
            if len(indices)
        }

    def _indices(self, corpus, held_out):
        """Which passages are of a corpus and of a split."""
        return np.flatnonzero((self._names == corpus) & (self._held_out == held_out))

    def _packed(self, indices, seed):
        """Packed rows of a corpus, int32 [R, context]; documents stay in one piece."""
        if not len(indices):
            return np.empty((0, self.context), "int32")
        borders = np.flatnonzero(np.diff(self._document[indices])) + 1
        documents = [
            np.concatenate([self._token_rows[i] for i in part])
            for part in np.split(indices, borders)
        ]
        return pack(documents, self.context, self.end_token_id, seed)

    def _row(self, index):
        """A passage between two end tokens."""
        tokens = self._token_rows[index][: self.passage_length - 2]
        return [self.end_token_id, *tokens, self.end_token_id]

    def _batches(self, alone, packed, **order):
        rows = [self._row(i) for i in alone] + list(packed)
        longest = self.context if packed else self.passage_length
        lengths = {n for n in (16, 32, self.passage_length) if n < longest}
        values, weights = {}, {}
        for name, (target, weight) in self._targets.items():
            blank = (0, len(packed))
            values[name] = np.pad(target[alone], (blank, (0, 0)))
            weights[name] = np.pad(weight[alone], blank)
        return NextTokenBatches(
            rows,
            values or None,
            weights or None,
            boundaries=[*sorted(lengths), longest],
            max_tokens=max(self.max_tokens, longest),
            **order,
        )


def _targets(passages, taught, answers):
    """Each output's targets [N, ...] and weights [N]; weight 0: nothing is known."""
    if len(taught) != len(answers["praise"]):
        raise ValueError(
            f"Expected a teacher's answers for {len(taught)} passages. "
            f"Received: {len(answers['praise'])}"
        )
    count = len(passages)
    embedding = np.zeros((count, answers["embedding"].shape[1]), "float16")
    embedding[taught] = answers["embedding"]
    seen = np.zeros(count, "float32")
    seen[taught] = 1.0
    praise = np.zeros(count, "float32")
    praise[taught] = answers["praise"]
    label = np.array(passages["praise"], "float32")  # NaN: unlabelled
    known = ~np.isnan(label) & (seen > 0)
    trust = np.array(passages["label_trust"], "float32")
    praise = np.where(known, trust * label + (1 - trust) * praise, 0.0)
    return {
        "sentence_embedding": (embedding, seen),
        "polarity": (praise[:, None].astype("float32"), known.astype("float32")),
    }
