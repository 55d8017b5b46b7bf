import pytest

from kftune.data.passages import capitalize, detokenize, passages, split_sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It rains. We stay in! Why?", ["It rains.", "We stay in!", "Why?"]),
        ('He left. "Good," she said.', ["He left.", '"Good," she said.']),
        ("Version 2.1 of e.g. this", ["Version 2.1 of e.g. this"]),
        ("  ", []),
        ("Gut. Überall z. b. so.", ["Gut.", "Überall z. b. so."]),
        ("Он ушёл. «Да», сказала она.", ["Он ушёл.", "«Да», сказала она."]),
        ("下雨了。我们在家！真的？", ["下雨了。", "我们在家！", "真的？"]),
        ("他说：「好。」然后走了。", ["他说：「好。」然后走了。"]),
        ("वह गया। हम रहे।", ["वह गया।", "हम रहे।"]),
        ("هل ذهب؟ نعم.", ["هل ذهب؟", "نعم."]),
    ],
)
def test_split_sentences(text, expected):
    assert split_sentences(text) == expected


def test_no_sentence_ends_behind_an_abbreviation():
    text = "As Liu et al. (2016) say (cf. Fig. 2). It rains al. Or not."
    whole = ["As Liu et al. (2016) say (cf. Fig. 2).", "It rains al. Or not."]
    assert split_sentences(text, abbreviations=("al.", "cf.", "Fig.")) == whole
    assert len(split_sentences(text)) == 6


def test_split_sentences_of_tokenized_text():
    text = 'well , i \'m here ( again ) . " so what ? " she asked .'
    assert split_sentences(text, tokenized=True) == [
        "Well, I'm here (again).",
        "So what?",
        "She asked.",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it costs $ 5 , or 10 % more !", "it costs $5, or 10% more!"),
        ('the " best " film', 'the "best" film'),
        ("i think it 's bobby i met", "I think it's bobby I met"),
    ],
)
def test_detokenize(text, expected):
    assert detokenize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc", "Abc"),
        ("I am", "I am"),
        ("été", "Été"),
        ('"abc"', '"Abc"'),
        ("42 abc", "42 abc"),
        ("", ""),
    ],
)
def test_capitalize(text, expected):
    assert capitalize(text) == expected


def test_passages_keep_every_sentence_in_order():
    sentences = [f"Sentence number {i}." for i in range(50)]
    found = passages(sentences, max_words=9, seed=3)
    assert " ".join(found) == " ".join(sentences)
    assert {len(p.split()) // 3 for p in found} == {1, 2, 3}
    assert found == passages(sentences, max_words=9, seed=3)
    assert found != passages(sentences, max_words=9, seed=4)


def test_passages_end_before_they_grow_past_max_words():
    sentences = ["one two three four", "one two three"] * 20
    assert max(len(p.split()) for p in passages(sentences, max_words=7)) == 7
    assert max(len(p.split()) for p in passages(sentences, max_words=3)) == 4


def test_passages_need_a_positive_size():
    with pytest.raises(ValueError, match="max_words of 1 or more. Received: 0"):
        passages(["a"], max_words=0)
