"""BERT: the backbone as Hugging Face checkpoints compute it."""
