"""A warning of texts that lose their ends."""

import warnings

_ADVICE = (
    "A larger sequence_length keeps more; kftune.data.chunk_rows, and overlap=0 of "
    "kftune.training.text_batches, keep all."
)


def tell_of_cut_texts(excess, length, what="texts", advice=_ADVICE):
    """Warns of texts that were cut to fit into a row.

    Args:
        excess: list of `int`, by how many tokens each text is too long, if above 0.
        length: `int`, tokens of a row, start and end token among them.
        what: `str`, what the texts are.
        advice: `str`, the end of the warning.
    """
    lost = [count for count in excess if count > 0]
    if lost:
        warnings.warn(
            f"{len(lost)} of {len(excess)} {what} were cut to {length} tokens, start "
            f"and end among them: {sum(lost)} tokens are lost. {advice}",
            stacklevel=4,
        )
