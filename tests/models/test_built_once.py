import types

from kftune.models.built_once import BuiltOnce


def test_it_builds_again_when_the_vocabulary_changes():
    built = []
    once = BuiltOnce(lambda tokenizer: built.append(tokenizer) or len(built))
    first, second = (types.SimpleNamespace(vocabulary=["a"]) for _ in range(2))
    assert [once(first), once(first), once(second), once(first)] == [1, 1, 2, 3]
    first.vocabulary = ["a"]
    assert once(first) == 4
    assert [once(object.__new__(object)) for _ in range(2)] == [5, 6]
