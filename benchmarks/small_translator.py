"""The translation model that benchmarks train, as recipes/translate.py builds it."""

import keras

import kftune

MAX_LENGTH = 64


def add_options(parser):
    """Adds the options that say what is trained on, and how large the model is."""
    parser.add_argument("--train", required=True, help="train.en+train.de")
    parser.add_argument("--num-pairs", type=int, default=None)
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--max-tokens", type=int, default=8192)


def make_task(arguments):
    """Returns a compiled task, and its rows of `tokenize_pairs`."""
    keras.utils.set_random_seed(0)
    pairs = kftune.data.read(arguments.train)
    tokenizer = kftune.models.train_marian_tokenizer(
        pairs["source"], pairs["target"], arguments.vocabulary
    )
    backbone = kftune.models.TransformerBackbone(
        tokenizer.vocabulary_size(),
        num_layers=arguments.layers,
        num_heads=arguments.hidden // 32,
        hidden_dim=arguments.hidden,
        intermediate_dim=2 * arguments.hidden,
        dropout=0.0,
        max_sequence_length=MAX_LENGTH,
    )
    preprocessor = kftune.models.TransformerSeq2SeqLMPreprocessor(
        tokenizer, MAX_LENGTH, MAX_LENGTH
    )
    task = kftune.models.TransformerSeq2SeqLM(backbone, preprocessor)
    kftune.training.compile_translation(task, 1e-3)
    pairs = pairs.select(range(arguments.num_pairs or len(pairs)))
    return task, kftune.data.tokenize_pairs(pairs, preprocessor)


def make_batches(task, rows, arguments, boundaries=None):
    """Returns `PairBuckets` of the rows."""
    return kftune.data.PairBuckets(
        rows["source_token_ids"],
        rows["target_token_ids"],
        max_tokens=arguments.max_tokens,
        boundaries=boundaries,
        pad_token_id=task.preprocessor.tokenizer.pad_token_id,
    )
