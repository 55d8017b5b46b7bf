"""A callback that unfreezes a model block by block while it trains."""

from collections.abc import Mapping, Sequence

import keras

from kftune.error_text import first_few
from kftune.models.frozen_weights import set_frozen
from kftune.models.layer_tree import weights_made_to_train
from kftune.models.trainable_guard import record_trainable
from kftune.tuning.optimizer_state import check_state_can_be_carried
from kftune.tuning.policies import Policy, frozen_weights, policy_name
from kftune.tuning.recompile import check_compiled, fresh_optimizer, renew_optimizer


class GradualUnfreezing(keras.callbacks.Callback):
    """Trains ever more of a model, in one `fit` (Howard & Ruder 2018, ULMFiT).

    At the beginning of an epoch that has a new policy, what it unfreezes gets empty
    optimizer slots. All else goes on: the slots of what was trained already, the step
    count and with it the learning-rate schedule, moving averages, metrics and the
    other callbacks. `model.optimizer` is then another object, and the train step is
    compiled once more. In a run that goes on, `RunCheckpoint` restores the policy
    before the optimizer.

    With Adam a weight that is unfrozen late takes larger first steps, as its moments
    start at 0 and the bias correction, by the common step count, no longer makes up
    for it: by `(1 - beta_1) / sqrt(1 - beta_2)`, which is 3.2 with 0.9 and 0.999, and
    0.7 with 0.9 and 0.98.

    https://arxiv.org/abs/1801.06146

    Args:
        schedule: dict of epoch to policy, as `kftune.tuning.freeze` takes them, or a
            list of policies, one an epoch; the last one stays. It begins with epoch 0.
            Each policy must train at least what the one before it did.
        dropout: bool, whether dropout stays on in what is frozen.

    Raises:
        TypeError: if the schedule is neither a dict nor a list.
        ValueError: if it is empty, has no policy for epoch 0, or epochs that are no
            whole numbers from 0 on.

    Example:
        ```python
        schedule = {0: "backbone", 1: "all_but_last:1", 3: "nothing"}
        unfreezing = kftune.tuning.GradualUnfreezing(schedule)
        task.fit(x, y, epochs=5, callbacks=[unfreezing])
        ```
    """

    def __init__(
        self, schedule: Mapping[int, Policy] | Sequence[Policy], *, dropout=False
    ):
        super().__init__()
        self.schedule = _by_epoch(schedule)
        self.dropout = dropout

    def policy_at(self, epoch: int) -> Policy:
        """Tells which policy holds in an epoch.

        Args:
            epoch: int, 0 or more.

        Returns:
            The policy of the last entry of the schedule up to this epoch.
        """
        return self.schedule[max(start for start in self.schedule if start <= epoch)]

    def apply(self, model: keras.Model, epoch: int) -> None:
        """Freezes what the policy of an epoch freezes; the optimizer's state is kept.

        `fit` does it by itself. Call it to make ready a model for weights and an
        optimizer that were saved in or after that epoch and are loaded next. Does
        nothing if the same weights are frozen already.

        Args:
            model: compiled model.
            epoch: int, 0 or more: the last epoch that was trained.

        Raises:
            ValueError: if the policy does not fit the model, or the model is not
                compiled.
        """
        check_compiled(model)
        policy = self.policy_at(epoch)
        frozen = frozen_weights(model, policy)
        model.freeze_policy = policy_name(policy)
        if self._holds(model, frozen):
            return
        set_frozen(model, frozen, dropout=self.dropout)
        record_trainable(model)
        renew_optimizer(model)

    def get_state(self) -> dict:
        """Returns what `kftune.training.RunCheckpoint` keeps: the last epoch."""
        return {"epoch": self._epoch}

    def set_state(self, state: dict) -> None:
        """Makes the model ready for what was saved; applies the policy of that epoch.

        Args:
            state: dict that `get_state` returned.
        """
        self.apply(self.model, state["epoch"])

    def on_train_begin(self, logs=None):
        """Checks the whole schedule, so that no epoch fails hours later.

        Args:
            logs: not used.

        Raises:
            ValueError: if policies do not fit the model, if one freezes what was
                trained before it, or if the optimizer's state cannot be carried over.
        """
        _check(self.model, self.schedule)
        optimizer = fresh_optimizer(self.model.optimizer)
        check_state_can_be_carried(optimizer, weights_made_to_train(self.model))

    def on_epoch_begin(self, epoch, logs=None):
        """Applies the policy of the epoch.

        Args:
            epoch: int.
            logs: not used.
        """
        self._epoch = epoch
        self.apply(self.model, epoch)

    def _holds(self, model, frozen):
        """Whether a model was compiled to train all but these weights already."""
        now = frozenset(map(id, model.trainable_weights))
        compiled = getattr(model, "trainable_when_compiled", None)
        same_dropout = getattr(model, "frozen_dropout", None) == self.dropout
        return same_dropout and now == compiled == set(_trained(model, frozen))


def _by_epoch(schedule):
    """The schedule as a dict in the order of epochs."""
    if isinstance(schedule, str) or not isinstance(schedule, Mapping | Sequence):
        raise TypeError(
            "Expected a dict of epoch to policy, or a list of policies. Received: "
            f"{schedule!r} ({type(schedule).__name__})."
        )
    if not isinstance(schedule, Mapping):
        schedule = dict(enumerate(schedule))
    wrong = [
        epoch
        for epoch in schedule
        if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 0
    ]
    if wrong or 0 not in schedule:
        raise ValueError(
            "Expected a policy for epoch 0, and for other epochs as whole numbers from "
            f"1 on. Received the epochs {list(schedule)}."
        )
    return dict(sorted(schedule.items()))


def _check(model, schedule):
    """Raises if policies do not fit a model or one another; lists all of it."""
    problems, before = [], {}
    for epoch, policy in schedule.items():
        try:
            trained = _trained(model, frozen_weights(model, policy))
        except (TypeError, ValueError) as error:
            problems.append(f"epoch {epoch}: {error}")
            continue
        lost = [path for key, path in before.items() if key not in trained]
        if lost or not trained:
            what = first_few(lost, show=str) if trained else "all weights"
            problems.append(f"epoch {epoch}: {policy_name(policy)!r} freezes {what}")
        before = trained
    if problems:
        raise ValueError(
            "Expected a schedule of which each policy trains something, and at least "
            f"what the one before it trains. Received for {type(model).__name__} "
            f"{model.name!r}: " + "; ".join(problems)
        )


def _trained(model, frozen):
    """Paths of the weights that are trained if these are frozen, by their ids."""
    frozen_ids = {id(weight) for weight in frozen}
    return {
        id(weight): weight.path
        for weight in weights_made_to_train(model)
        if id(weight) not in frozen_ids
    }
