"""Scores, baselines, figures and the results of a run."""

from kftune.evaluation.baselines import (
    predict_majority,
    predict_naive_bayes,
    score_baselines,
)
from kftune.evaluation.classification import ClassificationScores, score_classes
from kftune.evaluation.perplexity import perplexities, perplexity
from kftune.evaluation.plots import plot_confusion, plot_curves
from kftune.evaluation.results import write_results

__all__ = [
    "ClassificationScores",
    "perplexities",
    "perplexity",
    "plot_confusion",
    "plot_curves",
    "predict_majority",
    "predict_naive_bayes",
    "score_baselines",
    "score_classes",
    "write_results",
]
