import pytest
from sacrebleu.metrics import BLEU, CHRF

from kftune.evaluation import compare_systems, score_systems

REFERENCES = [f"Der Hund Nummer {i} läuft über die Straße." for i in range(12)]
WRONG = [f"Die Katze {i} schläft im alten Haus." for i in range(12)]
HALF = [*REFERENCES[:6], *WRONG[6:]]
MENU = {
    "source": ["Hi %(name)s", "Open {0}", "Bye"],
    "target": ["Hallo %(name)s", "{0} öffnen", "Tschüss"],
}
NEWS = {"source": ["A dog."] * 12, "target": REFERENCES}
SYSTEMS = {
    "old": {"menu": ["Hallo", "{0} auf", "Servus"], "news": HALF},
    "new": {"menu": MENU["target"], "news": list(REFERENCES)},
    "same": {"menu": ["Hallo", "{0} auf", "Servus"], "news": list(HALF)},
}


@pytest.fixture(scope="module")
def scored():
    return score_systems(SYSTEMS, {"menu": MENU, "news": NEWS}, samples=100)


def test_scores_are_those_of_sacrebleu(scored):
    for system, made in SYSTEMS.items():
        for test, rows in (("menu", MENU), ("news", NEWS)):
            references = [rows["target"]]
            assert scored.scores[system][test] == pytest.approx(
                {
                    "bleu": BLEU().corpus_score(made[test], references).score,
                    "chrf": CHRF().corpus_score(made[test], references).score,
                }
            )
    assert "bs:100" in scored.signatures["bleu"]


def test_p_values_are_those_of_the_comparison_but_for_equal_scores(scored):
    compared = compare_systems(
        {name: made["news"] for name, made in SYSTEMS.items()},
        REFERENCES,
        ["bleu", "chrf"],
        samples=100,
    )
    expected = {m: r.p_value for m, r in compared.scores["new"].items()}
    assert scored.p_values["new"]["news"] == expected
    assert max(expected.values()) < 0.05
    assert scored.p_values["old"]["news"] == {"bleu": None, "chrf": None}
    # sacreBLEU itself says 1 / 101 of two that translate alike.
    assert compared.scores["same"]["bleu"].p_value < 0.05
    assert scored.p_values["same"]["news"] == {"bleu": 1.0, "chrf": 1.0}


def test_placeholders_count_where_sources_have_some(scored):
    kept = {system: tests["menu"] for system, tests in scored.placeholders.items()}
    assert kept == {"old": 0.5, "new": 1.0, "same": 0.5}
    assert {tests["news"] for tests in scored.placeholders.values()} == {None}


def test_changes_are_differences_to_the_first_system(scored):
    changes, unsure = scored.changes("chrf")
    assert list(changes) == ["new", "same"]
    for test in ("menu", "news"):
        gain = scored.scores["new"][test]["chrf"] - scored.scores["old"][test]["chrf"]
        assert changes["new"][test] == pytest.approx(gain)
        assert gain > 10
    assert changes["same"] == {"menu": 0, "news": 0}
    assert ("new", "news") not in unsure
    assert {("same", "menu"), ("same", "news")} <= set(unsure)


def test_the_table_has_a_row_a_system_and_stars(scored):
    table = scored.markdown(seconds={"old": "0", "new": "12", "same": "7"})
    header, rule, *rows = table.split("\n\n")[0].splitlines()
    assert header == (
        "| system | seconds | menu: BLEU | menu: chrF | news: BLEU | news: chrF "
        "| menu: placeholders kept |"
    )
    assert rule.count("---") == 7
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[:2] for row in cells] == [["old", "0"], ["new", "12"], ["same", "7"]]
    assert [row[-1] for row in cells] == ["50.0%", "100.0%", "50.0%"]
    assert cells[1][4:6] == ["100.0*", "100.0*"]
    assert not any("*" in cell for row in (cells[0], cells[2]) for cell in row)
    assert str(scored).count("|") < table.count("|")
    assert table.endswith("\\* differs from 'old', p < 0.05")


def test_a_name_with_a_bar_is_one_cell():
    name = "lora:layers=query|value"
    systems = {"old": SYSTEMS["old"], name: SYSTEMS["new"]}
    table = score_systems(systems, {"menu": MENU}, samples=100).markdown()
    rows = [row for row in table.splitlines() if row.startswith("|")]
    assert "lora:layers=query\\|value" in rows[-1]
    assert len({row.replace("\\|", "").count("|") for row in rows}) == 1


def test_one_system_is_an_error():
    with pytest.raises(ValueError, match="two systems or more"):
        score_systems({"old": SYSTEMS["old"]}, {"menu": MENU})
