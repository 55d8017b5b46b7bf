import keras_hub
import pytest

from kftune.models import GPT2TextClassifier, GPT2TextClassifierPreprocessor


@pytest.fixture
def task(gpt2_backbone, gpt2_tokenizer):
    return GPT2TextClassifier(
        gpt2_backbone,
        2,
        GPT2TextClassifierPreprocessor(gpt2_tokenizer, 20, truncate="left"),
        pooling="last_mean",
        hidden_dim=4,
        label_names=["rotten", "fresh"],
    )


@pytest.fixture
def saved(task, tmp_path):
    task.save_to_preset(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.fixture
def language_model(gpt2_backbone, gpt2_tokenizer, tmp_path):
    """A KerasHub preset of a language model, as a shipped one is."""
    preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(gpt2_tokenizer, 24)
    task = keras_hub.models.GPT2CausalLM(gpt2_backbone.to_keras_hub(), preprocessor)
    task.save_to_preset(str(tmp_path / "lm"))
    return tmp_path / "lm"
