import keras_hub

from kftune.models.tokenizers.special_tokens import set_special_tokens


class EndedTokenizer(keras_hub.tokenizers.BytePairTokenizer):
    def __init__(self, **kwargs):
        set_special_tokens(self, end_token="<end>", filler="<pad>")
        super().__init__(**kwargs)


def test_tokens_have_ids_and_are_special():
    vocabulary = {"<pad>": 0, "a": 1, "<end>": 2, "aa": 3}
    tokenizer = EndedTokenizer(vocabulary=vocabulary, merges=["a a"])
    assert (tokenizer.end_token, tokenizer.end_token_id) == ("<end>", 2)
    assert (tokenizer.filler, tokenizer.filler_id) == ("<pad>", 0)
    assert set(tokenizer.special_tokens) == {"<end>", "<pad>"}
    assert set(tokenizer.special_token_ids) == {0, 2}
