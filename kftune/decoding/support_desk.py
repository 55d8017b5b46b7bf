"""Questions in several languages, answered by a classifier of one."""

import contextlib
import dataclasses

import keras

from kftune.decoding.translate_texts import source_lengths, translate_texts

REFUSAL = ""
_UNSURE = "I am not sure what you mean."


@dataclasses.dataclass(frozen=True)
class SupportAnswer:
    """What became of a question.

    Attributes:
        question: `str`, as it was asked.
        language: `str`, in which it was asked.
        understood: `str`, the question in the language of the classifier.
        intent: `str`, the likeliest class.
        confidence: `float`, 0 to 1, its probability.
        answered: `bool`. False: it was refused, for its confidence was too low.
        answer: `str`, in the language of the question.
        cut: `bool`. True: the question is longer than the translator or the classifier
            reads, so its end was left out.

    Example:
    ```python
    (made,) = desk.answer(["Wo ist meine Karte?"], ["de"])  # see SupportDesk
    made.understood, made.intent, made.answered
    ```
    """

    question: str
    language: str
    understood: str
    intent: str
    confidence: float
    answered: bool
    answer: str
    cut: bool


class SupportDesk:
    """Translates a question, tells its intent, and translates an answer back.

    Args:
        classifier: `kftune.models.TextClassifier` with a preprocessor and
            `label_names`.
        translator: `kftune.models.TransformerSeq2SeqLM` with a preprocessor, compiled
            with the sampler to use. It knows `language` and those of the questions.
        language: `str`, that of the classifier.
        answers: `dict` of language to `dict` of intent to `str`; what is said below the
            threshold stands under the intent `""`. A language without an answer gets
            that of `language`, translated; where this has none, the name of the intent
            is the answer, and the refusal is kftune's own, in English.
        threshold: `float`. The least confidence that is answered; an attribute that
            may be set later, see `kftune.evaluation.choose_threshold`.
        max_length: `int` or `None`. Tokens of a translation at most.

    Raises:
        ValueError: if answers are for intents that the classifier does not know, or if
            `language` is not English and has no refusal.

    Example:
    ```python
    classifier = kftune.models.load_task("runs/banking77/model")
    translator = TransformerSeq2SeqLM.from_preset("transformer_tiny_en_de")
    translator.compile(sampler=BeamSearch(4))
    answers = {"en": {"card_arrival": "It comes soon.", "": "Please say more."}}
    desk = SupportDesk(classifier, translator, answers=answers, threshold=0.7)
    (answer,) = desk.answer(["Wo ist meine Karte?"], ["de"])
    print(answer.intent, answer.answer)
    ```
    """

    def __init__(
        self,
        classifier,
        translator,
        *,
        language="en",
        answers=None,
        threshold=0.0,
        max_length=None,
    ):
        self.classifier = classifier
        self.translator = translator
        self.language = language
        self.answers = dict(answers or {})
        self.threshold = threshold
        self.max_length = max_length
        given = {intent for said in self.answers.values() for intent in said}
        if unknown := sorted(given - {REFUSAL, *classifier.label_names}):
            raise ValueError(
                f"Expected answers for intents among {classifier.label_names}. "
                f"Received others: {', '.join(unknown)}"
            )
        if language != "en" and not self.answers.get(language, {}).get(REFUSAL):
            raise ValueError(
                f"Expected a refusal in {language!r}, an answer to the intent "
                f"{REFUSAL!r}: kftune's own is in English. Received none"
            )

    def answer(self, questions, languages):
        """Answers questions.

        Args:
            questions: sequence of N `str`, not blank.
            languages: sequence of N `str`, in which they are asked.

        Returns:
            List of N `SupportAnswer`.
        """
        questions, languages = list(questions), list(languages)
        if not questions:
            return []
        home = [self.language] * len(questions)
        understood = self.translate(questions, languages, home)
        classes, confidences = self.classify(understood)
        intents = [self.classifier.label_names[number] for number in classes]
        answered = (confidences >= self.threshold).tolist()
        said = [
            self._reply(intent if is_answered else REFUSAL, language)
            for intent, is_answered, language in zip(
                intents, answered, languages, strict=True
            )
        ]
        said = self.translate(*zip(*said, strict=True), languages)
        confidences = confidences.tolist()
        cut = self._cut(questions, languages, understood)
        columns = questions, languages, understood, intents, confidences, answered, said
        return [SupportAnswer(*row) for row in zip(*columns, cut, strict=True)]

    def classify(self, texts):
        """Tells intents, of texts in the language of the classifier.

        Args:
            texts: sequence of N `str`.

        Returns:
            Tuple of the classes, int `(N,)`, and their probabilities, float `(N,)`.
        """
        logits = self.classifier.predict(list(texts), verbose=0)
        shares = keras.ops.convert_to_numpy(keras.ops.softmax(logits))
        return shares.argmax(axis=-1), shares.max(axis=-1)

    def translate(self, texts, languages, targets):
        """Translates texts, but for those in their target's language already.

        Args:
            texts: sequence of N `str`.
            languages: sequence of N `str`, in which they are.
            targets: sequence of N `str`, into which they go.

        Returns:
            List of N `str`.
        """
        results = list(texts)
        groups = {}
        for place, pair in enumerate(zip(languages, targets, strict=True)):
            if pair[0] != pair[1]:
                groups.setdefault(pair, []).append(place)
        for (source, target), places in sorted(groups.items()):
            options = {"target_language": target, "max_length": self.max_length}
            sources = [results[place] for place in places]
            with _source_language(self.translator.preprocessor.tokenizer, source):
                translations = translate_texts(self.translator, sources, **options)
            for place, translation in zip(places, translations, strict=True):
                results[place] = translation
        return results

    def _cut(self, questions, languages, understood):
        """Whether each question was too long for one of the models."""
        reader = self.classifier.preprocessor
        lengths = reader.whole_lengths(understood)
        cut = [length > reader.sequence_length for length in lengths]
        for language in sorted({*languages} - {self.language}):
            places = [i for i, name in enumerate(languages) if name == language]
            asked = [questions[i] for i in places]
            preprocessor = self.translator.preprocessor
            with _source_language(preprocessor.tokenizer, language):
                lengths = source_lengths(self.translator, asked, self.language)
            for i, length in zip(places, lengths, strict=True):
                cut[i] |= length > preprocessor.encoder_sequence_length
        return cut

    def _reply(self, intent, language):
        """The answer to an intent, and the language it is in."""
        for known in (language, self.language):
            if text := self.answers.get(known, {}).get(intent):
                return text, known
        name = intent.replace("_", " ")
        if self.language == "en":
            name = f"Your question is about: {name}."
        return (_UNSURE if intent == REFUSAL else name), self.language


@contextlib.contextmanager
def _source_language(tokenizer, code):
    """Tells a tokenizer of M2M100 or NLLB, which asks for it, the source's language."""
    if not hasattr(tokenizer, "source_language"):
        yield
        return
    before = tokenizer.source_language
    tokenizer.source_language = code
    try:
        yield
    finally:
        tokenizer.source_language = before
