"""How often translations keep what a program fills in."""

from collections import Counter

from kftune.data.placeholders import PLACEHOLDER, find_placeholders


def placeholder_fidelity(sources, outputs, pattern=PLACEHOLDER):
    """Share of outputs that keep every placeholder of their source.

    A placeholder must stand in the output as often as in the source at least, letter
    for letter and anywhere. Sources without placeholders do not count.

    Args:
        sources: sequence of N `str`.
        outputs: sequence of N `str`, the translations.
        pattern: `re.Pattern` or `str`, a regular expression for one placeholder; see
            `kftune.data.find_placeholders` for the default.

    Returns:
        `float`, 0 to 1.

    Raises:
        ValueError: if there are not as many outputs as sources, or if no source has a
            placeholder.

    Example:
    ```python
    sources = ["Hi %(name)s", "%d of %d", "Bye"]
    placeholder_fidelity(sources, ["Hallo %(name)s", "%d von", "Tschüss"])  # 0.5
    ```
    """
    sources, outputs = list(sources), list(outputs)
    if len(sources) != len(outputs):
        raise ValueError(
            "Expected as many outputs as sources. Received: "
            f"{len(sources)} sources, {len(outputs)} outputs"
        )
    expected = [Counter(find_placeholders(source, pattern)) for source in sources]
    kept = [
        wanted <= Counter(find_placeholders(output, pattern))
        for wanted, output in zip(expected, outputs, strict=True)
        if wanted
    ]
    if not kept:
        raise ValueError(
            f"Expected sources with placeholders. Received: {len(sources)} without"
        )
    return sum(kept) / len(kept)
