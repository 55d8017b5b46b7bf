import keras
import numpy as np
import pytest

from kftune.data import LengthBucketed
from kftune.models import (
    DenseHead,
    GPT2TextClassifierPreprocessor,
    attach_head,
    load_gpt2_tokenizer,
    mask_missing_labels,
    train_gpt2_tokenizer,
)
from kftune.training import split_batches, task_batches
from kftune.tuning import freeze

pytestmark = pytest.mark.backend

VERDICTS = {
    "text": [f"film {i} is{' very' * (i % 5)} fine" for i in range(3)],
    "label": [1, 0, 1],
}
QUEUES = {
    "text": [f"card {i} was{' not' * (i % 4)} sent" for i in range(8)],
    "label": [2, 0, 1, 2, 2, 0, 1, 1],
}
SPLITS = {
    "verdict": {"train": VERDICTS, "validation": VERDICTS},
    "queue": {"train": QUEUES, "validation": QUEUES},
}
ALL = {"batch_size": 99, "max_buckets": 1}
RATE = 0.5


@pytest.fixture(scope="module")
def preprocessor(tmp_path_factory):
    texts = VERDICTS["text"] + QUEUES["text"]
    folder = train_gpt2_tokenizer(texts, tmp_path_factory.mktemp("bpe"), 280)
    return GPT2TextClassifierPreprocessor(load_gpt2_tokenizer(folder), 16)


@pytest.fixture
def make_task(make_backbone, preprocessor):
    """Makes a task with some heads, the same backbone each time."""

    def make(**heads):
        keras.utils.set_random_seed(1)
        backbone = make_backbone("GPT2", vocabulary_size=280)
        heads = {n: DenseHead(size, dropout=0) for n, size in heads.items()}
        task = attach_head(backbone, heads, preprocessor)
        jit = keras.backend.backend() == "jax"
        task.compile(keras.optimizers.SGD(RATE), jit_compile=jit)
        return task

    return make


@pytest.fixture
def both(make_task):
    return make_task(verdict=2, queue=3)


def columns(batches):
    """The whole of a dataset: x, y and weights of all its batches."""
    parts = [batches[i] for i in range(len(batches))]
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


def values(weights):
    """Copies of weights as arrays."""
    return [keras.ops.convert_to_numpy(weight).copy() for weight in weights]


def test_each_row_has_the_label_of_its_own_task(both, preprocessor):
    batches = task_batches(both, SPLITS, **ALL)
    x, y, weights = columns(batches["validation"])
    rows = preprocessor.tokenize_rows(VERDICTS["text"] + QUEUES["text"])
    own = {"verdict": [1] * 3 + [0] * 8, "queue": [0] * 3 + [1] * 8}
    order = batches["validation"].order
    assert order.tolist() == list(range(11))
    for row, ids, mask in zip(rows, x["token_ids"], x["padding_mask"], strict=True):
        assert ids[mask].tolist() == row.tolist()
    assert y["verdict"].tolist() == [*VERDICTS["label"], *[0] * 8]
    assert y["queue"].tolist() == [*[0] * 3, *QUEUES["label"]]
    for name, expected in own.items():
        assert weights[name].tolist() == expected
    train = batches["train"]
    assert train.shuffle
    assert sorted(train.order) == list(range(11))


def test_evenly_mixed_tasks_have_the_same_weight_in_all(both):
    batches = task_batches(both, SPLITS, mix="even", **ALL)
    train, validation = (columns(batches[n])[2] for n in ("train", "validation"))
    # 8 / 3 rows: three verdicts for each that is there.
    assert (train["verdict"] > 0).sum() == 9
    assert (validation["verdict"] > 0).sum() == 3
    for weights, rows in ((train, 17), (validation, 11)):
        for name in ("verdict", "queue"):
            assert weights[name].sum() == pytest.approx(rows / 2)
    assert set(train["verdict"]) == {0, np.float32(17 / 18)}


@pytest.mark.parametrize("missing", [-1, float("nan")])
def test_rows_without_a_label_do_not_count_in_an_even_mix(both, missing):
    verdict = {"text": VERDICTS["text"] * 4, "label": [1, 0, *[missing] * 10]}
    parts = {"train": verdict, "validation": verdict}
    splits = {"verdict": parts, "queue": SPLITS["queue"]}
    batches = task_batches(both, splits, mix="even", **ALL)
    # 8 / 2 labels: each of 12 rows stands there four times.
    for name, verdicts in (("train", 48), ("validation", 12)):
        weights = columns(batches[name])[2]
        assert len(weights["verdict"]) == verdicts + 8
        assert (weights["verdict"] > 0).sum() == verdicts / 6
        for each in weights.values():
            assert each.sum() == pytest.approx((verdicts + 8) / 2)


def test_a_head_without_any_label_is_told(both):
    empty = {"text": VERDICTS["text"], "label": [-1] * 3}
    verdict = {"train": VERDICTS, "validation": empty}
    splits = {"verdict": verdict, "queue": SPLITS["queue"]}
    with pytest.raises(ValueError, match=r"'validation'. Received none.*\['verdict'\]"):
        task_batches(both, splits, mix="even", **ALL)
    none = {"text": [], "label": []}
    for rows in (empty, none):
        splits["verdict"] = {"train": VERDICTS, "validation": rows}
        weights = columns(task_batches(both, splits, **ALL)["validation"])[2]
        assert not weights["verdict"].any()
        assert weights["queue"].sum() == 8
    splits["verdict"] = {"train": empty, "validation": VERDICTS}
    with pytest.raises(ValueError, match="expected labels for each head in 'train'"):
        task_batches(both, splits, **ALL)


@pytest.mark.parametrize("wrong", ["fresh", None])
def test_labels_that_are_no_numbers_are_told(both, wrong):
    rows = {"text": VERDICTS["text"], "label": [0, 1, wrong]}
    splits = {"verdict": {"train": rows}, "queue": {"train": SPLITS["queue"]["train"]}}
    message = f"encode_labels.*-1 or NaN.*Received: {{'verdict': .*{wrong}"
    with pytest.raises(ValueError, match=message):
        task_batches(both, splits, **ALL)
    with pytest.raises(ValueError, match=message):
        mask_missing_labels({"verdict": rows["label"], "queue": [0, 1, -1]})


def test_labels_that_are_missing_or_no_classes(make_backbone, preprocessor):
    heads = {
        "stars": DenseHead(1, problem_type="regression"),
        "tags": DenseHead(2, problem_type="multi_label_classification"),
    }
    task = attach_head(make_backbone("GPT2", vocabulary_size=280), heads, preprocessor)
    stars = {"text": ["good", "bad"], "label": [4.5, float("nan")]}
    tags = {"text": ["film"], "label": [[1, 0]]}
    splits = {"stars": {"test": stars}, "tags": {"test": tags}}
    batches = task_batches(task, splits, **ALL)
    _, y, weights = columns(batches["test"])
    assert y["stars"].dtype == np.float32
    assert y["stars"].tolist() == [4.5, 0, 0]
    assert weights["stars"].tolist() == [1, 0, 0]
    assert y["tags"].tolist() == [[0, 0], [0, 0], [1, 0]]
    assert weights["tags"].tolist() == [0, 0, 1]


def changes(task, batches):
    """How far one step over a batch moves the backbone and each head."""
    parts = {"backbone": task.backbone, **task.heads}
    before = {name: values(part.weights) for name, part in parts.items()}
    task.fit(batches["train"], shuffle=False, verbose=0)
    return {
        name: [new - old for new, old in zip(values(part.weights), olds, strict=True)]
        for (name, part), olds in zip(parts.items(), before.values(), strict=True)
    }


@pytest.mark.long
@pytest.mark.parametrize(
    ("mix", "shares"),
    [
        ("size", {"verdict": 3 / 11, "queue": 8 / 11}),
        ("even", {"verdict": 1 / 2, "queue": 1 / 2}),
    ],
)
def test_a_step_is_that_of_each_task_by_its_share(mix, shares, both, make_task):
    moved = {}
    for name, size in (("verdict", 2), ("queue", 3)):
        alone = make_task(**{name: size})
        alone.backbone.set_weights(both.backbone.get_weights())
        alone.heads[name].set_weights(both.heads[name].get_weights())
        moved[name] = changes(alone, split_batches_by_head(alone, name))
    together = changes(both, task_batches(both, SPLITS, mix=mix, **ALL))
    for i, change in enumerate(together["backbone"]):
        expected = sum(shares[name] * moved[name]["backbone"][i] for name in shares)
        np.testing.assert_allclose(change, expected, atol=2e-6)
    for name, share in shares.items():
        assert np.abs(moved[name][name][0]).max() > 1e-3
        for change, own in zip(together[name], moved[name][name], strict=True):
            np.testing.assert_allclose(change, share * own, atol=2e-6)


def split_batches_by_head(task, name):
    """The batches of a task alone, made without `task_batches`."""
    rows = SPLITS[name]["train"]
    tokens = task.preprocessor.tokenize_rows(rows["text"])
    return {"train": LengthBucketed(tokens, {name: np.array(rows["label"])}, **ALL)}


@pytest.mark.long
def test_rows_of_one_task_leave_the_other_head_as_it_is(both):
    batches = task_batches(both, SPLITS, batch_size=3, max_buckets=1)
    x, y, weights = batches["validation"][0]
    assert weights["queue"].tolist() == [0, 0, 0]
    before = {name: values(head.weights) for name, head in both.heads.items()}
    both.fit(x, y, sample_weight=weights, verbose=0)
    for old, new in zip(before["queue"], both.heads["queue"].weights, strict=True):
        np.testing.assert_array_equal(old, new)
    kernel = values(both.heads["verdict"].weights)[0]
    assert np.abs(kernel - before["verdict"][0]).max() > 1e-3


@pytest.mark.long
def test_metrics_of_each_task_count_its_own_rows(both):
    batches = task_batches(both, SPLITS, mix="even", batch_size=4)
    history = both.fit(
        batches["train"],
        validation_data=batches["validation"],
        shuffle=False,
        verbose=0,
    ).history
    for name, rows in (("verdict", VERDICTS), ("queue", QUEUES)):
        own = split_batches(both, {"test": rows})["test"]
        outputs = own.restore_order(both.predict(own, verbose=0))[name]
        accuracy = (outputs.argmax(axis=-1) == rows["label"]).mean()
        assert history[f"val_{name}_accuracy"] == [pytest.approx(accuracy)]


@pytest.mark.long
def test_a_frozen_backbone_stays_and_both_heads_learn(both):
    freeze(both, "backbone")
    before = values(both.backbone.weights)
    heads = {name: values(head.weights)[0] for name, head in both.heads.items()}
    both.fit(task_batches(both, SPLITS, **ALL)["train"], shuffle=False, verbose=0)
    for old, new in zip(before, values(both.backbone.weights), strict=True):
        np.testing.assert_array_equal(old, new)
    for name, head in both.heads.items():
        assert np.abs(values(head.weights)[0] - heads[name]).max() > 1e-4


def test_all_that_does_not_match_is_named(both):
    splits = {"verdict": SPLITS["verdict"], "topic": {"train": QUEUES}}
    with pytest.raises(ValueError, match="task_batches") as raised:
        task_batches(both, splits, mix="odd")
    for part in (
        "mix of ('size', 'even'). Received: 'odd'",
        "heads ['verdict', 'queue']. Received: ['verdict', 'topic']",
        "{'verdict': ['train', 'validation'], 'topic': ['train']}",
    ):
        assert part in str(raised.value)


def test_a_label_that_is_no_class_is_an_error_before_training(both):
    wrong = {"text": ["a", "b"], "label": [0, 7]}
    splits = {**SPLITS, "verdict": {"train": wrong, "validation": wrong}}
    with pytest.raises(ValueError, match="from 0 to 1.*7"):
        both.fit(task_batches(both, splits, **ALL)["train"], verbose=0)
