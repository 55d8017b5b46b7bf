"""Search for good settings of a training, a process a trial, in a folder to share."""

from pathlib import Path

from kftune.training.monitored_score import mode_problem
from kftune.training.trial_callback import in_trial
from kftune.training.trial_function import (
    argument_problems,
    default_settings,
    function_reference,
    list_arguments,
    load_function,
)

PRUNERS = ("median", "halving", "nothing")
SAMPLERS = ("grid", "random", "tpe")


def search(
    function,
    space,
    folder,
    *,
    n_trials=None,
    sampler="tpe",
    pruner="median",
    monitor="val_accuracy",
    mode="max",
    workers=1,
    seed=0,
):
    """Searches for the settings with which a training comes out best.

    A trial is one call of `function` with settings from the space, in a process of its
    own, with the environment of this one. It reports each epoch to the folder if it
    calls `fit_run`, or gives `TrialCallback` to `fit`; its value is that of the best
    epoch, or the number that the function returns. Give it no test split: the settings
    are chosen by the value.

    The first trial has the function's own defaults if the space holds those of all
    searched settings, so that they are beaten, or not, by the same measure. A grid has
    its own order.

    A search that was stopped goes on when it is called again. Several processes, on
    several machines that share the folder, may search together: start each in the same
    way. The settings of a trial whose worker was killed are tried again, from the
    start, up to 3 times. A trial that fails by itself is not repeated, and does not
    end the search.

    The folder gets `journal.log` (Optuna's storage), `trials.csv`, `best.yaml` with all
    settings of the best trial so far, and `trials/NUMBER`, which the function gets as
    its argument `out` if it has one; `log.txt` in it holds what the trial printed.
    Weights of pruned and failed trials do not stay.

    Args:
        function: function at the top of a module or script, or path of a script with
            a function `main`, such as a recipe.
        space: dict of argument to a list of values; to a range, `{"low": 1e-5, "high":
            1e-3, "log": True}` or `{"low": 0.0, "high": 0.3, "step": 0.1}`, of whole
            numbers if all of its numbers are; or to one value that all trials share.
            `read_space` reads one from a file.
        folder: str or path of the study, made when missing.
        n_trials: int, trials of all workers and restarts together; may grow when a
            search goes on. A grid tries all points without it.
        sampler: `"grid"`; `"random"`; or `"tpe"`, which after 10 random trials prefers
            settings like the best ones (Bergstra et al. 2011, Watanabe 2023,
            https://arxiv.org/abs/2304.11127).
        pruner: which trials are stopped early. `"median"`: once 5 are complete, those
            whose best epoch is worse than the median of the others at the same epoch;
            `"halving"`: all but the best quarter after 1, 4, 16, ... epochs (Li et al.
            2020, https://arxiv.org/abs/1810.05934); `"nothing"`.
        monitor: str, the entry of the logs that tells how good an epoch is.
        mode: `"min"` or `"max"`: which end of it is good.
        workers: int, how many trials run at once, each in a process of this one.
        seed: int, 0 or more. The n-th settings depend on it and on n alone; with TPE
            also on the results before.

    Returns:
        `SearchResult`, when the trials of all workers have ended.

    Raises:
        ValueError: if arguments, the space or the function are not as expected, all
            problems at once; or if the folder holds a study with other settings.
        RuntimeError: if no trial ran to its end, tells why; or within a trial.
        ModuleNotFoundError: if Optuna is missing; tells how to install it.

    Example:
    ```python
    space = {
        "learning_rate": {"low": 1e-5, "high": 1e-3, "log": True},
        "freeze": ["nothing", "backbone"],
        "batch_size": [16, 32],
        "epochs": 2,
    }
    result = search("recipes/classify_reviews.py", space, "runs/a", n_trials=20)
    print(result.best, result.value)
    ```
    """
    if in_trial():
        raise RuntimeError(
            "Expected no search within a trial. Received one: call search under "
            '`if __name__ == "__main__":`, as each trial loads the script again.'
        )
    reference = function_reference(function)
    settings = {
        "function": Path(reference).name,  # wherever its file lies on a machine
        "space": space,
        "sampler": sampler,
        "pruner": pruner,
        "monitor": monitor,
        "mode": mode,
        "seed": seed,
    }
    main = load_function(reference) if isinstance(function, str | Path) else function
    _check(main, settings, n_trials, workers)
    # Optuna is an extra, and needed only here.
    from kftune.training.search_result import read_result
    from kftune.training.search_space import searched
    from kftune.training.search_study import SearchStudy
    from kftune.training.search_worker import SearchWorker
    from kftune.training.trial_queue import TrialQueue
    from kftune.training.worker_heartbeat import WorkerHeartbeat

    study = SearchStudy(folder, settings, list_arguments(main, space))
    first = default_settings(main, searched(space))
    with WorkerHeartbeat(study.folder / "workers") as heartbeat:
        queue = TrialQueue(study, heartbeat, n_trials, first)
        SearchWorker(study, queue, heartbeat, reference, workers).run()
    return read_result(study)


def _check(main, settings, n_trials, workers):
    """Refuses arguments that make no sense, all at once."""
    from kftune.training.search_space import space_problems

    space, grid = settings["space"], settings["sampler"] == "grid"
    problems = space_problems(space, grid)
    if isinstance(space, dict):
        problems += argument_problems(main, space)
    for name, allowed in (
        ("sampler", SAMPLERS),
        ("pruner", PRUNERS),
    ):
        if settings[name] not in allowed:
            problems.append(
                f"{name}: expected one of {', '.join(allowed)}. Received: "
                f"{settings[name]!r}"
            )
    if problem := mode_problem(settings["monitor"], settings["mode"]):
        problems.append(f"mode: {problem}")
    least = {"workers": (workers, 1), "seed": (settings["seed"], 0)}
    if not grid or n_trials is not None:
        least["n_trials"] = (n_trials, 1)
    for name, (number, smallest) in least.items():
        if not isinstance(number, int) or number < smallest:
            problems.append(
                f"{name}: expected {smallest} or more. Received: {number!r}"
            )
    if problems:
        raise ValueError("\n".join(["This search makes no sense:", *problems]))
