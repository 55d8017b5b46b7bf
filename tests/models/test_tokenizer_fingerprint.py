from kftune.models import load_gpt2_tokenizer, train_gpt2_tokenizer
from kftune.models.tokenizer_fingerprint import tokenizer_fingerprint


def test_a_fingerprint_tells_files_and_settings_but_not_names(bpe_folder, tmp_path):
    one, alike = (load_gpt2_tokenizer(bpe_folder) for _ in range(2))
    assert one.name != alike.name
    assert tokenizer_fingerprint(one) == tokenizer_fingerprint(alike)
    other = load_gpt2_tokenizer(train_gpt2_tokenizer(["abab"], tmp_path, 258))
    assert tokenizer_fingerprint(other) != tokenizer_fingerprint(one)
    spaced = type(one).from_config({**one.get_config(), "add_prefix_space": True})
    spaced.load_assets(str(bpe_folder))
    assert tokenizer_fingerprint(spaced) != tokenizer_fingerprint(one)
