"""Tells of texts that a model does not read to their ends."""


def tell_full_rows(split, **sides):
    """Prints how many rows fill the whole length: what is beyond was cut.

    Args:
        split: str, such as `"train"`.
        **sides: by name, such as `texts`, a sequence of N rows of token ids and the
            most tokens that a row may have.
    """
    for name, (rows, most) in sides.items():
        full = sum(len(row) >= most for row in rows)
        if full:
            print(
                f"{split}: {full} of {len(rows)} {name} fill all {most} tokens; "
                "what lies beyond was cut."
            )
