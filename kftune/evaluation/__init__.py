"""Scores, baselines, figures and the results of a run."""

from kftune.evaluation.attention_maps import AttentionMap, attention_maps
from kftune.evaluation.baselines import (
    predict_majority,
    predict_naive_bayes,
    score_baselines,
)
from kftune.evaluation.classification import ClassificationScores, score_classes
from kftune.evaluation.compare_systems import SystemComparison, compare_systems
from kftune.evaluation.describe_overfitting import describe_overfitting
from kftune.evaluation.doubtful_labels import DoubtfulLabels, find_doubtful_labels
from kftune.evaluation.evaluate_summaries import evaluate_summaries
from kftune.evaluation.evaluate_translation import evaluate_translation
from kftune.evaluation.fact_share import FactShare, fact_share
from kftune.evaluation.generated_texts import copied_share, distinct_ngrams
from kftune.evaluation.interest_scores import score_interests
from kftune.evaluation.perplexity import perplexities, perplexity
from kftune.evaluation.placeholder_fidelity import placeholder_fidelity
from kftune.evaluation.plots import (
    plot_changes,
    plot_confusion,
    plot_curves,
    plot_range_test,
)
from kftune.evaluation.results import write_results
from kftune.evaluation.score_intervals import (
    bootstrap_intervals,
    mean_interval,
    wilson_interval,
)
from kftune.evaluation.score_systems import SystemScores, score_systems
from kftune.evaluation.search_plots import plot_importance, plot_slices
from kftune.evaluation.split_report import SplitReport, report_splits
from kftune.evaluation.summaries import SummaryScores, score_summaries
from kftune.evaluation.summary_floors import (
    lead_sentences,
    oracle_sentence,
    summary_floors,
)
from kftune.evaluation.text_perplexity import TextPerplexity, text_perplexity
from kftune.evaluation.translation import (
    TranslationScores,
    score_sentences,
    score_translations,
)
from kftune.evaluation.translation_floors import score_floors, translation_memory
from kftune.evaluation.translation_scorer import translation_scorer
from kftune.evaluation.write_report import write_report

__all__ = [
    "AttentionMap",
    "ClassificationScores",
    "DoubtfulLabels",
    "FactShare",
    "SplitReport",
    "SummaryScores",
    "SystemComparison",
    "SystemScores",
    "TextPerplexity",
    "TranslationScores",
    "attention_maps",
    "bootstrap_intervals",
    "compare_systems",
    "copied_share",
    "describe_overfitting",
    "distinct_ngrams",
    "evaluate_summaries",
    "evaluate_translation",
    "fact_share",
    "find_doubtful_labels",
    "lead_sentences",
    "mean_interval",
    "oracle_sentence",
    "perplexities",
    "perplexity",
    "placeholder_fidelity",
    "plot_changes",
    "plot_confusion",
    "plot_curves",
    "plot_importance",
    "plot_range_test",
    "plot_slices",
    "predict_majority",
    "predict_naive_bayes",
    "report_splits",
    "score_baselines",
    "score_classes",
    "score_floors",
    "score_interests",
    "score_sentences",
    "score_summaries",
    "score_systems",
    "score_translations",
    "summary_floors",
    "text_perplexity",
    "translation_memory",
    "translation_scorer",
    "wilson_interval",
    "write_report",
    "write_results",
]
