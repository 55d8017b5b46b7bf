"""A random Marian model of transformers, and kftune's task with its weights."""

import numpy as np
import torch
from hf_references import make_reference

import kftune

SOURCE_LENGTH = 12
MAX_LENGTH = 16


class MarianPair:
    """A model of transformers and ours, asked the same."""

    def __init__(self, folder):
        self.reference = make_reference("marian", 1)
        self.reference.generation_config.forced_eos_token_id = None
        self.reference.save_pretrained(folder)
        self.task = kftune.models.TransformerSeq2SeqLM.from_preset(
            folder, preprocessor=None
        )
        self.pad = self.reference.config.pad_token_id

    def bias_end(self, bias):
        """Makes the end token, 0, more or less likely."""
        logits_bias = self.reference.final_logits_bias
        logits_bias[0, 0] = bias
        weight = self.task.backbone.token_embedding.logits_bias
        weight.assign(logits_bias[0].numpy())

    def inputs(self, rows, prompt_lengths=1, seed=0):
        """Sources of mixed lengths, and beginnings of targets."""
        rng = np.random.default_rng(seed)
        lengths = rng.integers(1, SOURCE_LENGTH + 1, (rows, 1))
        source_mask = np.arange(SOURCE_LENGTH) < lengths
        source = rng.integers(1, 90, source_mask.shape)
        mask = np.arange(MAX_LENGTH) < np.reshape(prompt_lengths, (-1, 1))
        mask = np.broadcast_to(mask, (rows, MAX_LENGTH))
        target = rng.integers(1, 90, mask.shape)
        target[:, 0] = self.pad
        return {
            "encoder_token_ids": np.where(source_mask, source, self.pad),
            "encoder_padding_mask": source_mask,
            "decoder_token_ids": np.where(mask, target, self.pad),
            "decoder_padding_mask": mask,
        }

    def theirs(self, inputs, beams, *, max_length=MAX_LENGTH, **options):
        """Token ids (B, W, T) and scores (B, W) of transformers."""
        names = ("encoder_token_ids", "encoder_padding_mask")
        source, mask = (torch.tensor(inputs[name]).long() for name in names)
        outputs = self.reference.generate(
            input_ids=source,
            attention_mask=mask,
            max_length=max_length,
            num_beams=beams,
            num_return_sequences=beams,
            do_sample=False,
            return_dict_in_generate=True,
            output_scores=True,
            **options,
        )
        return padded(outputs, beams, MAX_LENGTH, self.pad)

    def ours(self, inputs, sampler, stop_token_ids=(0,), **options):
        """The same from kftune."""
        if sampler is not None:
            self.task.compile(sampler=sampler, **options)
        outputs = self.task.generate(
            inputs,
            stop_token_ids=stop_token_ids,
            num_return_sequences=self.task.sampler.num_beams,
            return_scores=True,
        )
        return outputs["decoder_token_ids"], outputs["scores"]


def padded(outputs, beams, length, pad):
    """Rows of transformers, all of one length; scores."""
    rows = outputs.sequences.numpy()
    rows = np.pad(
        rows, ((0, 0), (0, length - rows.shape[1])), constant_values=pad
    ).reshape(-1, beams, length)
    scores = getattr(outputs, "sequences_scores", None)
    return rows, None if scores is None else scores.numpy().reshape(-1, beams)
