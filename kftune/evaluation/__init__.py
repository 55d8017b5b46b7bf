"""Scores, baselines, figures and the results of a run."""

from kftune.evaluation.answer_scores import AnswerScores, score_answers
from kftune.evaluation.attention_maps import AttentionMap, attention_maps
from kftune.evaluation.baselines import (
    predict_majority,
    predict_naive_bayes,
    score_baselines,
)
from kftune.evaluation.classification import ClassificationScores, score_classes
from kftune.evaluation.compare_systems import SystemComparison, compare_systems
from kftune.evaluation.coverage_plot import plot_coverage
from kftune.evaluation.describe_overfitting import describe_overfitting
from kftune.evaluation.doubtful_labels import DoubtfulLabels, find_doubtful_labels
from kftune.evaluation.evaluate_summaries import evaluate_summaries
from kftune.evaluation.evaluate_translation import evaluate_translation
from kftune.evaluation.fact_share import FactShare, fact_share
from kftune.evaluation.generated_texts import (
    copied_share,
    distinct_ngrams,
    score_variety,
)
from kftune.evaluation.generative_classifier import GenerativeClassifier
from kftune.evaluation.interest_scores import score_interests
from kftune.evaluation.judged_texts import JudgedTexts, judge_texts
from kftune.evaluation.perplexity import perplexities, perplexity
from kftune.evaluation.placeholder_fidelity import placeholder_fidelity
from kftune.evaluation.plots import (
    plot_changes,
    plot_confusion,
    plot_curves,
    plot_range_test,
)
from kftune.evaluation.prompted_classifier import PromptedClassifier
from kftune.evaluation.results import write_results
from kftune.evaluation.run_outputs import read_outputs, write_outputs
from kftune.evaluation.score_intervals import (
    bootstrap_intervals,
    mean_interval,
    wilson_interval,
)
from kftune.evaluation.score_systems import SystemScores, score_systems
from kftune.evaluation.search_plots import plot_importance, plot_slices
from kftune.evaluation.selective_scores import (
    SelectiveScores,
    choose_threshold,
    coverage_curve,
    score_answered,
)
from kftune.evaluation.split_report import SplitReport, report_splits
from kftune.evaluation.summaries import SummaryScores, check_summaries, score_summaries
from kftune.evaluation.summary_floors import (
    lead_sentences,
    oracle_sentence,
    summary_floors,
)
from kftune.evaluation.text_judge import text_judge
from kftune.evaluation.text_perplexity import TextPerplexity, text_perplexity
from kftune.evaluation.translation import (
    TranslationScores,
    check_references,
    score_sentences,
    score_translations,
)
from kftune.evaluation.translation_floors import score_floors, translation_memory
from kftune.evaluation.translation_scorer import translation_scorer
from kftune.evaluation.write_report import write_report

__all__ = [
    "AnswerScores",
    "AttentionMap",
    "ClassificationScores",
    "DoubtfulLabels",
    "FactShare",
    "GenerativeClassifier",
    "JudgedTexts",
    "PromptedClassifier",
    "SelectiveScores",
    "SplitReport",
    "SummaryScores",
    "SystemComparison",
    "SystemScores",
    "TextPerplexity",
    "TranslationScores",
    "attention_maps",
    "bootstrap_intervals",
    "check_references",
    "check_summaries",
    "choose_threshold",
    "compare_systems",
    "copied_share",
    "coverage_curve",
    "describe_overfitting",
    "distinct_ngrams",
    "evaluate_summaries",
    "evaluate_translation",
    "fact_share",
    "find_doubtful_labels",
    "judge_texts",
    "lead_sentences",
    "mean_interval",
    "oracle_sentence",
    "perplexities",
    "perplexity",
    "placeholder_fidelity",
    "plot_changes",
    "plot_confusion",
    "plot_coverage",
    "plot_curves",
    "plot_importance",
    "plot_range_test",
    "plot_slices",
    "predict_majority",
    "predict_naive_bayes",
    "read_outputs",
    "report_splits",
    "score_answered",
    "score_answers",
    "score_baselines",
    "score_classes",
    "score_floors",
    "score_interests",
    "score_sentences",
    "score_summaries",
    "score_systems",
    "score_translations",
    "score_variety",
    "summary_floors",
    "text_judge",
    "text_perplexity",
    "translation_memory",
    "translation_scorer",
    "wilson_interval",
    "write_outputs",
    "write_report",
    "write_results",
]
