"""A report on runs, side by side, in one file of HTML."""

from kftune.evaluation import html_page
from kftune.evaluation.describe_overfitting import describe_overfitting
from kftune.evaluation.html_page import element
from kftune.evaluation.report_figures import curve_metrics, draw_attention, draw_curves
from kftune.evaluation.report_values import score_texts, texts
from kftune.evaluation.run_outputs import read_outputs

_COSTS = ("trained", "times", "seconds", "examples_per_second")
_DATA = ("rows", "data")
_MACHINE = ("versions", "machine")
_SEARCH = ("value", "trial", "best", "importance", "space")
_PICTURES = {
    "confusion.png": "Confusion matrix",
    "coverage.png": "Coverage and accuracy of a classifier that may refuse",
    "changes.png": "Changes against the baseline",
    "importance.png": "Importance of settings",
    "slices.png": "Trials by setting",
}
_SAMPLES = 10
_INTERVALS = (
    "In brackets stands the 95 % confidence interval: of an accuracy Wilson's, from "
    "the number of test rows; of BLEU, chrF and TER that of 1000 bootstrap samples, by "
    "sacreBLEU. Scores without brackets have none: their folder does not hold what is "
    "needed, or none is known."
)
_NOTHING = "-"


def write_report(runs, path, attention=None):
    """Writes a page about runs that needs no network and no other file.

    It shows, of what the folders hold: scores with confidence intervals, learning
    curves, settings, what was frozen, the data, figures, and samples of what was
    written. The same folders give the same file.

    Args:
        runs: list of `kftune.training.RunRecord`, as `kftune.training.read_runs` gives.
        path: `str` or `Path` of the HTML file, which appears whole or not at all.
        attention: `dict` of a run's name to a list of `AttentionMap`, or `None`.

    Raises:
        ValueError: if a table of samples or a figure in a folder is damaged.

    Example:
    ```python
    runs = kftune.training.read_runs(["runs/nothing", "runs/backbone"])
    write_report(runs, "report.html")
    ```
    """
    outputs = {run.name: read_outputs(run.folder) for run in runs}
    settings = [texts(run.settings) for run in runs]
    scores = [score_texts(run.results, outputs[run.name]) for run in runs]
    parts = [
        *_side_by_side("Runs", runs, map(_overview, runs)),
        *_side_by_side("Scores", runs, scores, note=_INTERVALS),
        *_side_by_side("Overfitting", runs, map(_overfitting, runs)),
        *_curves(runs),
        *_side_by_side("Settings", runs, settings, mark=True),
        *_side_by_side("What is trained", runs, map(_freezing, runs), mark=True),
        *_side_by_side("Data", runs, [_part(run, _DATA) for run in runs], mark=True),
        *_pictures(runs),
        *_samples(outputs),
        *_attention(attention or {}),
        *_side_by_side("Search", runs, map(_search, runs)),
        *_side_by_side("Time", runs, [_part(run, _COSTS) for run in runs]),
        *_side_by_side("Made with", runs, [_part(run, _MACHINE) for run in runs]),
    ]
    html_page.write_page(path, f"Report: {', '.join(run.name for run in runs)}", parts)


def _side_by_side(title, runs, columns, *, note=None, mark=False):
    """A table, a column a run that has values, rows that differ marked."""
    told = [(run, values) for run, values in zip(runs, columns, strict=True) if values]
    if not told:
        return []
    rows, differ = [], set()
    for name in dict.fromkeys(name for _, values in told for name in values):
        cells = [values.get(name, _NOTHING) for _, values in told]
        differs = mark and len(set(cells)) > 1
        if differs:
            differ.add(len(rows))
        rows.append([f"≠ {name}" if differs else name, *cells])
    made = html_page.table(["", *(run.name for run, _ in told)], rows, marked=differ)
    notes = [element("p", note, class_="note")] if note else []
    return [element("h2", title), made, *notes]


def _overview(run):
    epochs = max(map(len, run.history.values()), default=0)
    finished = run.results.get("finished", "no results yet")
    return {"finished": str(finished), "epochs": str(epochs)}


def _overfitting(run):
    if "val_loss" not in run.history:
        return {}
    return {"": describe_overfitting(run.history)}


def _part(run, names):
    return texts({name: run.results[name] for name in names if name in run.results})


def _search(run):
    return _part(run, _SEARCH) if "best" in run.results else {}


def _freezing(run):
    """The receipt of `kftune.tuning.freeze`, a row a block."""
    freezing = run.results.get("freezing")
    match freezing:
        case {"policy": policy, "blocks": [*blocks], "optimizer_bytes": memory}:
            slots = f"{memory / 2**20:.2f} MiB" if isinstance(memory, int) else _NOTHING
            blocks = [block for block in blocks if isinstance(block, dict)]
            return {
                "frozen": str(policy),
                "slots of the optimizer": slots,
                "all": _trained(freezing),
                **{str(block.get("name")): _trained(block) for block in blocks},
            }
    return {}


def _trained(count):
    match count:
        case {"trainable_params": int(trained), "frozen_params": int(frozen)}:
            return f"{trained:,} of {trained + frozen:,}"
    return _NOTHING


def _curves(runs):
    histories = {run.name: run.history for run in runs if run.history}
    figures = []
    for metric in curve_metrics(histories):
        svg, prefix = draw_curves(histories, metric), f"curves{len(figures)}-"
        figures.append(html_page.drawing(svg, f"{metric} by epoch", prefix))
    return _figures("Learning curves", figures)


def _pictures(runs):
    figures = []
    for file, title in _PICTURES.items():
        for run in runs:
            if (path := run.folder / file).exists():
                png = path.read_bytes()
                if not png.startswith(html_page.PNG_SIGNATURE):
                    raise ValueError(f"Expected a PNG. Received: {path}")
                figures.append(html_page.picture(png, f"{title}: {run.name}"))
    return _figures("Figures", figures)


def _figures(title, figures, class_="figures"):
    if not figures:
        return []
    return [element("h2", title), element("div", *figures, class_=class_)]


def _samples(outputs):
    """First rows of what was written; those of the same sources side by side."""
    tables = {}
    for run, files in outputs.items():
        for file, rows in files.items():
            sources, targets, *others = _columns(rows[:_SAMPLES])
            key = (file, *sources[1], *targets[1])
            columns = tables.setdefault(key, [sources, targets])
            columns += [(f"{run}: {name}", cells) for name, cells in others]
    parts = []
    for (file, *_), columns in tables.items():
        names, cells = zip(*columns, strict=True)
        rows = [
            [str(number), *row]
            for number, row in enumerate(zip(*cells, strict=True), 1)
        ]
        caption = f"{file}, the first rows"
        parts.append(html_page.table(["", *names], rows, caption=caption))
    return [element("h2", "Samples"), *parts] if parts else []


def _columns(rows):
    """Names and cells, source and target first."""
    names = sorted(rows[0], key=lambda name: (name != "source", name != "target"))
    return [(name, [row[name] for row in rows]) for name in names]


def _attention(attention):
    figures = []
    for run, maps in attention.items():
        for found in maps:
            svg = draw_attention(found.tokens, found.weights)
            caption = (
                f"Attention in the last block of {run}, mean of the heads: {found.text}"
            )
            prefix = f"attention{len(figures)}-"
            figures.append(html_page.drawing(svg, caption, prefix))
    return _figures("Attention", figures, "figures whole")
