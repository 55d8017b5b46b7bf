"""Callbacks, schedules and settings for `fit`; pretraining with a teacher."""

from kftune.layers import SmoothedCrossentropy
from kftune.training.average_weights import average_weights
from kftune.training.best_weights import BestWeights, load_best_weights
from kftune.training.checkpoint_average import CheckpointAverage
from kftune.training.compilation_cache import use_compilation_cache
from kftune.training.compile_translation import compile_translation
from kftune.training.data_position import DataPosition
from kftune.training.first_step_time import FirstStepTime
from kftune.training.fit_run import fit_run
from kftune.training.inverse_square_root import InverseSquareRoot
from kftune.training.jit_compile import choose_jit_compile
from kftune.training.learning_rate_range_test import (
    RangeTest,
    learning_rate_range_test,
)
from kftune.training.make_schedule import make_schedule
from kftune.training.optimizers import adamw, muon, spare_bias_and_norm
from kftune.training.overwriting import overwriting
from kftune.training.pair_batches import pair_batches
from kftune.training.pretraining_rows import PretrainingRows, passages_alone
from kftune.training.read_space import read_space
from kftune.training.run_checkpoint import RunCheckpoint
from kftune.training.run_folder import (
    BEST_WEIGHTS,
    CHECKPOINTS,
    close_run,
    open_run,
    open_runs,
    read_finished,
    read_history,
)
from kftune.training.run_record import RunRecord, read_runs
from kftune.training.sample_callback import SampleCallback
from kftune.training.score_callback import ScoreCallback
from kftune.training.search import search
from kftune.training.split_batches import split_batches
from kftune.training.standard_callbacks import standard_callbacks
from kftune.training.stop_on_divergence import StopOnDivergence
from kftune.training.task_batches import task_batches
from kftune.training.teacher import Teacher, embeddings_from_teacher
from kftune.training.text_batches import text_batches
from kftune.training.tokens_per_second import TokensPerSecond
from kftune.training.trial_callback import TrialCallback, in_trial
from kftune.training.warmup_stable_decay import WarmupStableDecay

__all__ = [
    "BEST_WEIGHTS",
    "CHECKPOINTS",
    "BestWeights",
    "CheckpointAverage",
    "DataPosition",
    "FirstStepTime",
    "InverseSquareRoot",
    "PretrainingRows",
    "RangeTest",
    "RunCheckpoint",
    "RunRecord",
    "SampleCallback",
    "ScoreCallback",
    "SmoothedCrossentropy",
    "StopOnDivergence",
    "Teacher",
    "TokensPerSecond",
    "TrialCallback",
    "WarmupStableDecay",
    "adamw",
    "average_weights",
    "choose_jit_compile",
    "close_run",
    "compile_translation",
    "embeddings_from_teacher",
    "fit_run",
    "in_trial",
    "learning_rate_range_test",
    "load_best_weights",
    "make_schedule",
    "muon",
    "open_run",
    "open_runs",
    "overwriting",
    "pair_batches",
    "passages_alone",
    "read_finished",
    "read_history",
    "read_runs",
    "read_space",
    "search",
    "spare_bias_and_norm",
    "split_batches",
    "standard_callbacks",
    "task_batches",
    "text_batches",
    "use_compilation_cache",
]
