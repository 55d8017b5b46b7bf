"""GPT-2: backbone, language model, classifier, preprocessors, pretraining."""
