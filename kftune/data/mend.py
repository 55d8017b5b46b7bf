"""Repairs broken text."""

import ftfy

# Only what is broken is mended: typographic quotes, ligatures and HTML stay.
_MENDING = ftfy.TextFixerConfig(
    unescape_html=False,
    uncurl_quotes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    explain=False,
)


def mend(dataset, columns):
    """Mends wrongly decoded and control characters, line ends and Unicode's forms.

    Args:
        dataset: `datasets.Dataset`.
        columns: list of `str`, its text columns.

    Returns:
        `datasets.Dataset` of as many rows, with the same features.
    """
    return dataset.map(
        _mend_batch,
        batched=True,
        fn_kwargs={"columns": columns},
        features=dataset.features,
        desc="Mending",
    )


def _mend_batch(batch, columns):
    return {
        name: [ftfy.fix_text(text, _MENDING) if text else text for text in batch[name]]
        for name in columns
    }
