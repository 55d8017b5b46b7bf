import os
import subprocess
import sys
import warnings
from collections import Counter

import pytest
from datasets import Dataset

from kftune.data import encode_labels, split


def rows_of(num_rows, **columns):
    return Dataset.from_dict(
        {"text": [f"Text {i}" for i in range(num_rows)], **columns}
    )


def parts_of(dataset, column, **settings):
    """The values of a column in each part."""
    return {name: part[column][:] for name, part in split(dataset, **settings).items()}


def assert_apart(parts):
    """No value may stand in two parts."""
    sets = [set(values) for values in parts.values()]
    assert sum(map(len, sets)) == len(set().union(*sets))


@pytest.mark.parametrize("validation, test", [(0.1, 0.1), (0.05, 0.2), (0.013, 0.37)])
def test_every_row_is_in_one_part_and_the_shares_are_exact(validation, test):
    rows = rows_of(1000, label=[int(i % 10 < 3) for i in range(1000)])
    parts = split(rows, validation, test)
    sizes = {name: part.num_rows for name, part in parts.items()}
    assert sorted(text for p in parts.values() for text in p["text"]) == sorted(
        rows["text"]
    )
    assert sizes["validation"] == pytest.approx(1000 * validation, abs=1)
    assert sizes["test"] == pytest.approx(1000 * test, abs=1)
    for part in parts.values():
        assert sum(part["label"]) == pytest.approx(0.3 * len(part), abs=1)


def test_every_class_has_its_share_even_rare_ones():
    labels = ["common"] * 900 + ["rare"] * 90 + ["few"] * 10
    for name, values in parts_of(rows_of(1000, label=labels), "label").items():
        share = 0.8 if name == "train" else 0.1
        assert Counter(values) == {
            "common": 900 * share,
            "rare": 90 * share,
            "few": 10 * share,
        }


def test_rounding_of_many_small_classes_does_not_pile_up():
    labels = [f"class {i % 77}" for i in range(77 * 5)]
    parts = parts_of(rows_of(len(labels), label=labels), "label")
    assert len(parts["validation"]) == pytest.approx(38.5, abs=1)
    assert len(parts["test"]) == pytest.approx(38.5, abs=1)
    assert set(parts["train"]) == set(labels)


def test_training_sees_every_class():
    labels = [f"class {i}" for i in range(20)] + ["common"] * 200
    parts = parts_of(rows_of(220, label=labels), "label")
    assert set(parts["train"]) == set(labels)


def test_groups_stay_together_and_the_shares_are_close():
    sizes = [1 + (7 * i) % 35 for i in range(300)]
    groups = [f"film {i}" for i, size in enumerate(sizes) for _ in range(size)]
    labels = [int(i * 13 % 100 < 40) for i in range(len(groups))]
    parts = split(rows_of(len(groups), label=labels, group=groups))
    assert_apart({name: part["group"] for name, part in parts.items()})
    for name, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        part = parts[name]
        assert len(part) == pytest.approx(len(groups) * share, rel=0.02)
        assert sum(part["label"]) / len(part) == pytest.approx(0.4, abs=0.02)
        films = Counter(part["group"])
        # Films of all sizes are everywhere, not the large ones in training alone.
        mean = len(part) / len(films)
        assert mean == pytest.approx(sum(sizes) / len(sizes), rel=0.2)


def test_groups_whose_rows_have_one_label_are_balanced():
    groups = [i // 10 for i in range(1000)]
    labels = [group % 2 for group in groups]
    parts = split(rows_of(1000, label=labels, group=groups))
    assert {name: part.num_rows for name, part in parts.items()} == {
        "train": 800,
        "validation": 100,
        "test": 100,
    }
    assert all(sum(part["label"]) * 2 == len(part) for part in parts.values())


def test_a_text_never_stands_in_two_parts():
    texts = [f"Text  {i % 150}" for i in range(300)]
    texts += [f"TEXT {i}\n" for i in range(150)]
    rows = Dataset.from_dict({"text": texts, "label": [0, 1] * 225})
    parts = parts_of(rows, "text")
    folded = {
        name: [" ".join(text.lower().split()) for text in values]
        for name, values in parts.items()
    }
    assert_apart(folded)
    assert len(parts["validation"]) == pytest.approx(45, abs=3)
    assert len(parts["test"]) == pytest.approx(45, abs=3)


def test_a_text_of_two_groups_binds_both():
    groups = [f"g{i // 4}" for i in range(400)]
    texts = [f"Text {i}" for i in range(400)]
    for i in range(0, 400, 8):
        texts[i + 4] = texts[i].upper()
    parts = split(Dataset.from_dict({"text": texts, "group": groups}))
    assert_apart({name: part["group"] for name, part in parts.items()})
    assert_apart({n: [t.lower() for t in p["text"]] for n, p in parts.items()})
    assert parts["test"].num_rows == pytest.approx(40, abs=8)


def test_both_sides_of_parallel_text_are_kept_apart():
    rows = Dataset.from_dict(
        {
            "source": [f"s{i // 2}" for i in range(300)],
            "target": [f"t{(i + 1) // 3}" for i in range(300)],
        }
    )
    # Each source shares targets with its neighbours here and there: chains of rows.
    parts = split(rows.select([i for i in range(300) if i % 12 < 9]))
    for side in ("source", "target"):
        assert_apart({name: part[side] for name, part in parts.items()})


@pytest.mark.parametrize("blank", ["", " ", None])
@pytest.mark.parametrize("group", ["", " ", None, float("nan")])
def test_blank_texts_and_missing_groups_bind_nothing(blank, group):
    texts = [blank] * 90 + [f"Text {i}" for i in range(10)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = split(Dataset.from_dict({"text": texts, "group": [group] * 100}))
    assert {name: part.num_rows for name, part in parts.items()} == {
        "train": 80,
        "validation": 10,
        "test": 10,
    }


def test_rows_keep_their_order():
    for texts in parts_of(rows_of(200), "text").values():
        assert texts == sorted(texts, key=lambda text: int(text.split()[1]))


def test_the_seed_decides():
    rows = rows_of(300, label=[0, 1, 2] * 100)
    first = parts_of(rows, "text", seed=1)
    assert parts_of(rows, "text", seed=1) == first
    second = parts_of(rows, "text", seed=2)
    assert len(set(first["test"]) & set(second["test"])) < 15


def test_the_seed_decides_for_groups_too():
    rows = rows_of(1000, group=[i // 10 for i in range(1000)])
    first, second = (set(parts_of(rows, "group", seed=s)["test"]) for s in (1, 2))
    assert len(first & second) < 6


def test_the_order_of_rows_does_not_matter():
    rows = rows_of(400, label=[0, 1] * 200, group=[i // 3 for i in range(400)])
    first = parts_of(rows, "text")
    shuffled = parts_of(rows.shuffle(seed=5), "text")
    assert {name: set(texts) for name, texts in first.items()} == {
        name: set(texts) for name, texts in shuffled.items()
    }


@pytest.mark.long
def test_a_split_is_the_same_on_every_machine():
    # Pinned: a change here changes everybody's test sets.
    parts = parts_of(rows_of(20, label=["a", "b"] * 10), "text", seed=3)
    code = (
        "from datasets import Dataset; from kftune.data import split\n"
        "texts = [f'Text {i}' for i in range(20)]\n"
        "rows = Dataset.from_dict({'text': texts, 'label': ['a', 'b'] * 10})\n"
        "print({n: p['text'][:] for n, p in split(rows, seed=3).items()})"
    )
    hash_seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    env["PYTHONPATH"] = os.pathsep.join(sys.path)
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == str(parts)
    assert parts["validation"] == ["Text 18", "Text 19"]
    assert parts["test"] == ["Text 4", "Text 13"]


def test_a_share_of_zero_leaves_the_part_out():
    assert split(rows_of(20), 0.1, 0).num_rows == {"train": 18, "validation": 2}
    assert split(rows_of(20), 0, 0).num_rows == {"train": 20}


def test_columns_of_other_names():
    rows = Dataset.from_dict(
        {
            "body": [f"Text {i}" for i in range(100)],
            "stars": ["1", "5"] * 50,
            "user": [i // 2 for i in range(100)],
        }
    )
    parts = split(rows, columns=["body"], stratify_by="stars", group_by="user")
    assert_apart({name: part["user"] for name, part in parts.items()})
    assert all(Counter(p["stars"])["1"] * 2 == len(p) for p in parts.values())


def test_none_turns_groups_and_classes_off():
    rows = rows_of(100, label=[0, 1] * 50, group=[0] * 100)
    parts = split(rows, group_by=None, stratify_by=None)
    assert parts.num_rows == {"train": 80, "validation": 10, "test": 10}


@pytest.mark.parametrize("labels", [[[0], [1]] * 50, [0.25, 0.75] * 50])
def test_lists_and_floats_are_not_stratified(labels):
    sizes = split(rows_of(100, label=labels)).num_rows
    assert sizes == {"train": 80, "validation": 10, "test": 10}


def test_class_labels_are_stratified():
    rows = encode_labels(rows_of(100, label=["a", "b"] * 50))
    assert all(sum(p["label"]) * 2 == len(p) for p in split(rows).values())


@pytest.mark.parametrize(
    "validation, test", [(0.5, 0.5), (-0.1, 0.1), (1, 0), (0.1, 20), (float("nan"), 0)]
)
def test_shares_that_do_not_fit_are_refused(validation, test):
    with pytest.raises(ValueError, match="shares") as error:
        split(rows_of(10), validation, test)
    assert f"validation={validation}, test={test}" in str(error.value)


@pytest.mark.parametrize("argument", ["stratify_by", "group_by"])
def test_a_missing_column_is_an_error(argument):
    with pytest.raises(ValueError, match=r"'film'.*\['text'\]"):
        split(rows_of(10), **{argument: "film"})


def test_no_text_is_an_error():
    with pytest.raises(ValueError, match="'body'"):
        split(Dataset.from_dict({"body": ["a"]}))


def test_too_few_rows_are_an_error():
    with pytest.raises(ValueError, match="3 rows in 3 bundles") as error:
        split(rows_of(3), 0.01, 0.01)
    assert "'validation': 0" in str(error.value)


def test_one_group_cannot_be_split():
    with pytest.raises(ValueError, match="10 rows in 1 bundles"):
        split(rows_of(10, group=["a"] * 10))


def test_a_group_too_large_for_the_shares_is_warned_of():
    groups = ["large"] * 60 + [f"g{i}" for i in range(40)]
    with pytest.warns(UserWarning, match=r"off in \['train'.*at once: 60"):
        split(rows_of(100, group=groups), 0.3, 0.3)
