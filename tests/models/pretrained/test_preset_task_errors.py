import json

import pytest

from kftune.models import GPT2TextClassifier, TextClassifier, attach_head

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("options", [{}, {"num_classes": 2}])
@pytest.mark.parametrize(("length", "limit"), [(64, "<= 24"), (2, "> 2")])
def test_a_length_that_does_not_fit_is_refused(saved, options, length, limit):
    match = f"sequence_length {limit}.*sequence_length={length}"
    with pytest.raises(ValueError, match=match):
        TextClassifier.from_preset(saved, sequence_length=length, **options)


def test_a_preset_without_a_head_asks_for_one(language_model):
    with pytest.raises(ValueError, match="num_classes, label_names or head"):
        TextClassifier.from_preset(language_model)


def test_options_for_a_saved_head_are_refused(saved):
    with pytest.raises(ValueError, match="dropout"):
        TextClassifier.from_preset(saved, dropout=0.5)


def test_another_model_than_the_class_is_refused(make_backbone, tmp_path):
    attach_head(make_backbone("Bert"), 2).save_to_preset(tmp_path)
    with pytest.raises(ValueError, match="GPT2TextClassifier.*BertBackbone"):
        GPT2TextClassifier.from_preset(tmp_path, num_classes=2)
    with pytest.raises(ValueError, match="Received: TextClassifier"):
        GPT2TextClassifier.from_preset(tmp_path)


NEEDED = [
    ("config.json", {"num_classes": 2}),
    ("model.weights.h5", {}),
    ("model.weights.h5", {"num_classes": 2}),
    ("task.weights.h5", {}),
]


@pytest.mark.parametrize(("name", "options"), [*NEEDED, ("assets", {})])
def test_a_missing_file_is_one_clear_error(saved, name, options):
    (saved / name).rename(saved.parent / "away")
    with pytest.raises(FileNotFoundError, match=f"{saved}.*Nothing was loaded"):
        TextClassifier.from_preset(saved, **options)


@pytest.mark.parametrize(("name", "options"), [*NEEDED, ("task.json", {})])
def test_a_truncated_file_is_one_clear_error(saved, name, options):
    path = saved / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=f"{saved}.*Nothing was loaded"):
        TextClassifier.from_preset(saved, **options)


def test_weights_of_another_architecture_are_one_clear_error(saved):
    config = json.loads((saved / "task.json").read_text())
    config["config"]["backbone"]["config"]["num_layers"] = 3
    (saved / "task.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=f"{saved}.*Nothing was loaded"):
        TextClassifier.from_preset(saved)


def test_a_folder_of_something_else_is_one_clear_error(tmp_path):
    (tmp_path / "config.json").write_text('{"layers": 2}')
    with pytest.raises(ValueError, match=r"registered_name nor model_type.*'layers'"):
        TextClassifier.from_preset(tmp_path, num_classes=2)
    (tmp_path / "config.json").write_text('{"model_type": "no_such"}')
    with pytest.raises(ValueError, match="no_such"):
        TextClassifier.from_preset(tmp_path, num_classes=2)
