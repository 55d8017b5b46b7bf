"""What reports of cleaning have in common."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class DropReport:
    """How many rows were changed and dropped; a subclass has a field for each reason.

    Attributes:
        rows_before: `int`.
        mended: `int`. Rows whose text changed: wrongly decoded characters, NUL and
            other control characters, foreign line ends, characters not in NFC.
    """

    rows_before: int
    mended: int = 0

    @property
    def dropped(self):
        """`dict` of reasons to numbers of rows (`int`)."""
        counts = dataclasses.asdict(self)
        common = [field.name for field in dataclasses.fields(DropReport)]
        return {name: counts[name] for name in counts if name not in common}

    @property
    def rows_after(self):
        """`int`. Rows that are left."""
        return self.rows_before - sum(self.dropped.values())

    def __str__(self):
        reasons = [
            f"{count} {name.replace('_', ' ')}"
            for name, count in self.dropped.items()
            if count
        ]
        return (
            f"Cleaning: {self.rows_before} rows, {self.mended} mended, dropped "
            f"{', '.join(reasons) or 'none'}; {self.rows_after} rows are left."
        )


def announced(report):
    """Prints a report.

    Args:
        report: `DropReport`.

    Returns:
        The report.

    Raises:
        ValueError: if no row is left.
    """
    print(report)
    if not report.rows_after:
        raise ValueError(f"Expected rows to be left after cleaning. Received: {report}")
    return report
