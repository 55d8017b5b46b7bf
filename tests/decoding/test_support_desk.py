import types

import numpy as np
import pytest

from kftune.decoding import SupportDesk, support_desk

GERMAN = {"Wo ist die Karte?": "Where is the card?", "PIN neu": "new pin"}


class Classifier:
    """Tells intents by a word, and is the surer the longer the text is."""

    label_names = ("card_lost", "new_pin")

    def __init__(self):
        self.preprocessor = types.SimpleNamespace(
            sequence_length=20, whole_lengths=lambda texts: [len(x) for x in texts]
        )

    def predict(self, texts, verbose):
        logits = [[("card" in x) * len(x), ("pin" in x) * len(x)] for x in texts]
        return np.array(logits, "float32") / 10


def translator(name, **tokenizer):
    """What the desk needs to know of a translation model."""
    tokenizer = types.SimpleNamespace(**tokenizer)
    preprocessor = types.SimpleNamespace(
        tokenizer=tokenizer, encoder_sequence_length=16
    )
    return types.SimpleNamespace(name=name, preprocessor=preprocessor)


@pytest.fixture
def calls(monkeypatch):
    """A translator by a list of words; gives what it was asked."""
    asked = []

    def translate(task, texts, *, target_language, max_length):
        asked.append((task.name, tuple(texts), target_language, max_length))
        if target_language == "en":
            return [GERMAN[text] for text in texts]
        return [f"{target_language}: {text}" for text in texts]

    def lengths(task, texts, target_language):
        assert target_language == "en"
        if getattr(task.preprocessor.tokenizer, "source_language", "told") is None:
            raise ValueError("Expected a source_language.")
        return [len(text) for text in texts]

    monkeypatch.setattr(support_desk, "translate_texts", translate)
    monkeypatch.setattr(support_desk, "source_lengths", lengths)
    return asked


def test_questions_are_understood_and_answered_in_their_language(calls):
    desk = SupportDesk(
        Classifier(),
        translator("tags"),
        answers={"en": {"card_lost": "Look again.", "": "What?"}},
        threshold=0.7,
        max_length=9,
    )
    questions = ["Wo ist die Karte?", "my pin is no pin", "PIN neu", "the card"]
    answers = desk.answer(questions, ["de", "en", "de", "en"])
    assert [answer.question for answer in answers] == questions
    assert [answer.language for answer in answers] == ["de", "en", "de", "en"]
    assert [answer.understood for answer in answers] == [
        "Where is the card?",
        "my pin is no pin",
        "new pin",
        "the card",
    ]
    assert [answer.intent for answer in answers] == [
        "card_lost",
        "new_pin",
        "new_pin",
        "card_lost",
    ]
    expected = [1 / (1 + np.exp(-length / 10)) for length in (18, 16, 7, 8)]
    np.testing.assert_allclose([a.confidence for a in answers], expected, rtol=1e-5)
    assert [answer.answered for answer in answers] == [True, True, False, False]
    assert [answer.answer for answer in answers] == [
        "de: Look again.",
        "Your question is about: new pin.",
        "de: What?",
        "What?",
    ]
    assert calls == [
        ("tags", ("Wo ist die Karte?", "PIN neu"), "en", 9),
        ("tags", ("Look again.", "What?"), "de", 9),
    ]


def test_questions_that_a_model_does_not_read_whole_are_marked(calls):
    desk = SupportDesk(Classifier(), translator("tags"))
    questions = ["Wo ist die Karte?", "PIN neu", "x" * 20, "x" * 21]  # 17, 7 letters
    answers = desk.answer(questions, ["de", "de", "en", "en"])
    assert [answer.cut for answer in answers] == [True, False, False, True]


def test_nothing_is_translated_at_home(calls):
    desk = SupportDesk(Classifier(), None)
    (answer,) = desk.answer(["the card"], ["en"])
    assert answer.answered and answer.answer == "Your question is about: card lost."
    assert not calls


def test_what_people_wrote_in_a_language_is_not_translated(calls):
    answers = {
        "en": {"card_lost": "Look.", "": "What?"},
        "de": {"card_lost": "Sehen Sie nach.", "": "Wie bitte?"},
    }
    questions, languages = ["Wo ist die Karte?", "PIN neu"], ["de", "de"]
    desk = SupportDesk(Classifier(), translator("tags"), answers=answers, threshold=0.7)
    said = [answer.answer for answer in desk.answer(questions, languages)]
    assert said == ["Sehen Sie nach.", "Wie bitte?"]
    assert [target for _, _, target, _ in calls] == ["en"]


def test_without_answers_the_intent_is_named_or_refused(calls):
    desk = SupportDesk(Classifier(), None, threshold=0.7)
    said = [made.answer for made in desk.answer(["the pin is no pin", "x"], ["en"] * 2)]
    assert said == ["Your question is about: new pin.", "I am not sure what you mean."]
    assert desk.answer([], []) == []


def test_answers_to_unknown_intents_are_named():
    answers = {"en": {"b": "", "new_pin": ""}, "de": {"a": "", "": ""}}
    with pytest.raises(ValueError, match="card_lost.*Received others: a, b"):
        SupportDesk(Classifier(), None, answers=answers)


def test_a_model_that_asks_for_the_source_is_told(calls, monkeypatch):
    model, told = translator("m2m100", source_language="fr"), []
    tokenizer = model.preprocessor.tokenizer
    translate = support_desk.translate_texts

    def noting(*args, **options):
        told.append(tokenizer.source_language)
        return translate(*args, **options)

    monkeypatch.setattr(support_desk, "translate_texts", noting)
    desk = SupportDesk(Classifier(), model)
    desk.translate(["PIN neu", "new pin"], ["de", "en"], ["en", "fr"])
    assert told == ["de", "en"]
    assert tokenizer.source_language == "fr"  # as its owner had set it


def test_a_model_that_asks_for_the_source_is_told_when_lengths_are_counted(calls):
    model = translator("m2m100", source_language=None)
    questions = ["Wo ist die Karte?", "PIN neu"]  # 17 letters, 7
    answers = SupportDesk(Classifier(), model).answer(questions, ["de", "fr"])
    assert [answer.cut for answer in answers] == [True, False]
    assert model.preprocessor.tokenizer.source_language is None


def test_what_kftune_says_itself_is_english(calls):
    with pytest.raises(ValueError, match="refusal in 'de'.*is in English"):
        SupportDesk(Classifier(), None, language="de")
    answers = {"de": {"": "Wie bitte?"}}
    options = {"language": "de", "answers": answers, "threshold": 0.7}
    made = SupportDesk(Classifier(), None, **options).answer(
        ["pin pin pin pin", "x"], ["de"] * 2
    )
    assert [answer.answer for answer in made] == ["new pin", "Wie bitte?"]
