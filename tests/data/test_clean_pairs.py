import pytest
from datasets import Dataset

from kftune.data import PairCleaningReport, clean_pairs
from kftune.data.languages import is_other_language

ENGLISH = [
    "Two young men are standing in front of the house.",
    "A little girl climbs the stairs of a wooden playhouse.",
    "The weather was so bad that nobody wanted to leave.",
]
GERMAN = [
    "Zwei junge Männer stehen vor dem Haus.",
    "Ein kleines Mädchen klettert die Treppe eines Spielhauses hinauf.",
    "Das Wetter war so schlecht, dass niemand gehen wollte.",
]


def rows_of(*pairs):
    sources, targets = zip(*pairs, strict=True)
    return Dataset.from_dict({"source": sources, "target": targets})


def kept(*pairs, **settings):
    rows, report = clean_pairs(rows_of(*pairs), **settings)
    return list(zip(rows["source"], rows["target"], strict=True)), report


GOOD = ("A dog.", "Ein Hund.")


@pytest.mark.parametrize(
    "blank", [("", "x"), ("a", " \n"), (None, "x"), ("a", None), ("\0", "x")]
)
def test_pairs_with_a_blank_side_are_dropped(blank):
    pairs, report = kept(GOOD, blank)
    assert pairs == [GOOD]
    assert report.blank == 1


@pytest.mark.parametrize("side", [0, 1])
def test_overlong_sides_are_dropped(side):
    long, short = ("word " * 6, "Wort " * 5)[:: 1 - 2 * side]
    assert kept(GOOD, (long, short), max_words=5)[1].overlong == 1
    assert kept(GOOD, (long, short), max_words=6)[1].overlong == 0
    assert kept(GOOD, (long, short), max_words=None)[1].overlong == 0
    assert kept(GOOD, ("x" * 31, "y" * 30), max_chars=30)[1].overlong == 1
    assert kept(GOOD, ("x" * 2001, "y" * 1500))[1].overlong == 1
    assert kept(GOOD, ("x" * 2001, "y" * 1500), max_chars=None)[1].overlong == 0


@pytest.mark.parametrize(
    ("longer", "shorter", "dropped"),
    [(60, 20, 0), (61, 20, 1), (30, 2, 0), (31, 2, 1), (9, 1, 0)],
)
def test_lengths_may_not_differ_too_many_times(longer, shorter, dropped):
    for pair in [("x" * longer, "y" * shorter), ("x" * shorter, "y" * longer)]:
        assert kept(GOOD, pair)[1].ratio == dropped
        assert kept(GOOD, pair, max_ratio=None)[1].ratio == 0


def test_identical_sides_are_dropped_unless_they_shall_stay():
    pairs = [GOOD, ("KDE  Plasma", "kde plasma"), ("OK", "OK!")]
    assert kept(*pairs)[0] == [GOOD, ("OK", "OK!")]
    assert kept(*pairs)[1].identical == 1
    assert kept(*pairs, keep_identical=True)[0] == pairs


def test_of_equal_pairs_the_first_stays():
    pairs = [GOOD, ("a  DOG.", "ein Hund."), ("A dog.", "Der Hund.")]
    found, report = kept(*pairs)
    assert found == [GOOD, pairs[2]]
    assert report.duplicate == 1


def test_pairs_in_the_wrong_language_are_dropped():
    right = list(zip(ENGLISH, GERMAN, strict=True))
    wrong = [
        (GERMAN[0], ENGLISH[0]),
        (ENGLISH[1], "Une petite fille grimpe dans une maisonnette en bois."),
        (ENGLISH[2], "The weather was bad; nobody wanted to leave."),
    ]
    found, report = kept(*right, *wrong, languages=("en", "de"))
    assert found == right
    assert report.wrong_language == 3
    assert kept(*right, *wrong)[1].wrong_language == 0


@pytest.mark.parametrize("text", ["OK", "Plugin", "%(name)s", "42", "Native addon"])
def test_short_texts_pass_for_any_language(text):
    assert not is_other_language(text, "de")


def test_unknown_languages_are_named():
    with pytest.raises(ValueError, match=r"among .*de, .*en, .*Received: \['xx'\]"):
        kept(GOOD, languages=("en", "xx"))
    with pytest.raises(ValueError, match="two languages.*Received: 'en'"):
        kept(GOOD, languages="en")
    with pytest.raises(ValueError, match=r"two languages.*Received: \('de',\)"):
        kept(GOOD, languages=("de",))


def test_texts_are_mended_before_they_are_judged():
    pairs, report = kept(("A cafÃ©.", "Ein Café."), ("a café.", "ein  café."))
    assert pairs == [("A café.", "Ein Café.")]
    assert report == PairCleaningReport(rows_before=2, mended=1, duplicate=1)


def test_other_columns_stay():
    rows = rows_of(("a", ""), GOOD).add_column("context", ["menu", "animal"])
    assert clean_pairs(rows)[0]["context"][:] == ["animal"]


def test_the_report_is_printed_and_counts_each_pair_once(capsys):
    pairs = [GOOD, GOOD, ("", ""), ("x" * 40, "y"), ("same", "same"), ("Hi", "cafÃ©")]
    found, report = kept(*pairs, max_chars=39)
    printed = (
        "Cleaning: 6 rows, 1 mended, dropped 1 blank, 1 overlong, 1 identical, "
        "1 duplicate; 2 rows are left."
    )
    assert printed in capsys.readouterr().out
    assert str(report) == printed
    assert len(found) == report.rows_after == 2
    assert sum(report.dropped.values()) == 4
    assert "wrong language" in str(PairCleaningReport(2, wrong_language=1))


def test_nothing_left_is_an_error():
    with pytest.raises(ValueError, match="2 blank"):
        kept(("", "a"), ("b", ""))


@pytest.mark.parametrize("limits", [{"max_words": 0}, {"max_ratio": 0.5}])
def test_impossible_limits_are_named(limits):
    ((name, value),) = limits.items()
    with pytest.raises(ValueError, match=f"1 or more. Received: {name}={value}"):
        kept(GOOD, **limits)


def test_both_columns_are_needed():
    with pytest.raises(ValueError, match=r"\['source', 'target'\].*'text'"):
        clean_pairs(Dataset.from_dict({"text": ["a"]}))
