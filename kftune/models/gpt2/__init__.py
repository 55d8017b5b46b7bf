"""GPT-2: classifier, preprocessor, tokenizer training, pretraining."""
