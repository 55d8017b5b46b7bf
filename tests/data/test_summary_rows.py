from kftune.data.summary_rows import summary_rows

ROWS = {
    "source": [
        "We train sparse graph networks, with code online.",
        "Trees, and birds.",
    ],
    "target": [["Sparse Graph networks.", "We were with it."], "Birds in trees."],
}


def test_each_summary_has_a_row_of_its_own():
    rows = summary_rows(ROWS)
    assert rows["target"][:] == [*ROWS["target"][0], ROWS["target"][1]]
    assert rows["source"][:] == [ROWS["source"][i] for i in (0, 0, 1)]
    assert rows["row"][:] == [0, 0, 1]
    assert rows["interests"][:] == [[], [], []]


def test_interests_are_content_words_that_both_share():
    rows = summary_rows(ROWS, share=1.0)
    # "with" is a stop word, and "we", "it" have less than four letters.
    expected = [["sparse", "graph", "networks"], [], ["birds", "trees"]]
    assert rows["interests"][:] == expected


def test_words_and_rows_are_drawn_by_seed():
    source = "alpha bravo charlie delta echoes foxtrot"
    rows = {"source": [source] * 400, "target": [f"{source} {i}" for i in range(400)]}
    draws = [summary_rows(rows, share=0.5, most=2, seed=s) for s in (1, 1, 2)]
    words = [draw["interests"][:] for draw in draws]
    assert words[0] == words[1] != words[2]
    with_words = [row for row in words[0] if row]
    assert 150 < len(with_words) < 250
    assert all(len(set(row)) == 2 for row in with_words)
    assert {word for row in with_words for word in row} == set(source.split())
    assert all(source.index(first) < source.index(last) for first, last in with_words)
