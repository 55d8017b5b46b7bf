"""Parts of a message that a program fills in, and that a translation must keep."""

import re

PLACEHOLDER = re.compile(
    r"""
    (?<!%)%\(\w+\)[#0+-]*\d*(?:\.\d+)?[a-zA-Z]         # %(name)s, %(count)03d
    | (?<!%)%(?:\d+\$)?[#0+-]*\d*(?:\.\d+)?
      (?:hh|h|ll|l|L|j|z|t)?[diouxXeEfgGcrsa]             # %s, %.1f, %1$s, %lu
    | \$\{[^{}]+\}                                     # ${name}
    | \{\{[^{}]+\}\}                                   # {{ name }}
    | \{[^{}]*\}                                       # {}, {0}, {name!r:>8}
    """,
    re.VERBOSE,
)


def find_placeholders(text, pattern=PLACEHOLDER):
    """Finds the placeholders of a text, in the order in which they stand.

    By default those of Python's `%` and `format`, of gettext's C, of `string.Template`
    and Zope (`${name}`, but not `$name`), and of template languages (`{{ name }}`). The
    sign `%%` is none, and neither is the `%` in `5 % of`.

    Args:
        text: `str`.
        pattern: `re.Pattern` or `str`, a regular expression for one placeholder.

    Returns:
        List of `str`.

    Example:
    ```python
    find_placeholders("%(user)s has {0} of ${total}")  # ["%(user)s", "{0}", "${total}"]
    ```
    """
    return [found.group() for found in re.finditer(pattern, text)]
