import pytest

from kftune.training import read_space


def test_a_file_holds_a_space(tmp_path):
    path = tmp_path / "space.yaml"
    path.write_text(
        "learning_rate: {low: 1e-5, high: 1.0e-3, log: true}\n"
        "batch_size: [16, 32]\n"
        "freeze: [nothing, 'all_but_last:2', null]\n"
        "weight_decay: [1E-2, -2.5e+1]\n"
        "preset: gpt2_tiny_en\n"
    )
    assert read_space(path) == {
        "learning_rate": {"low": 0.00001, "high": 0.001, "log": True},
        "batch_size": [16, 32],
        "freeze": ["nothing", "all_but_last:2", None],
        "weight_decay": [0.01, -25.0],
        "preset": "gpt2_tiny_en",
    }
    path.write_text("- learning_rate")
    with pytest.raises(ValueError, match=r"space.yaml: lines of .*\['learning_rate'\]"):
        read_space(path)
