"""Batches that are planned epoch by epoch, with a position to go on from."""

import keras

from kftune.error_text import differences


class ResumableBatches(keras.utils.PyDataset):
    """A dataset whose position in an epoch can be saved and restored.

    A subclass says which batches an epoch has, how one is built and what that depends
    on (`plan_epoch`, `build_batch`, `settings`), and calls `super().__init__()` once it
    can. Epochs are counted by `on_epoch_end`, which Keras calls once before the first
    epoch, or follow `fit`'s own numbers with the callback
    `kftune.training.DataPosition`, which a restored position needs.

    Example:
    ```python
    class Numbers(ResumableBatches):
        def plan_epoch(self, epoch):
            return np.random.default_rng(epoch).permutation(8).reshape(4, 2)

        def build_batch(self, plan):
            return plan[:, None], plan

        def settings(self):
            return {"rows": 8}

    data = Numbers()
    data.mark_trained(3)
    state = data.state()  # {"epoch": 0, "batch": 3, "settings": {"rows": 8}}
    again = Numbers()
    again.restore(state)
    ```
    """

    def __init__(self):
        # A batch takes about a millisecond, so there is no setting for workers: with
        # more than one, Keras hands batches of one epoch on to the next.
        super().__init__()
        self._restored = None
        self._begin(0)

    # === What a subclass says

    def plan_epoch(self, epoch):
        """Plans the batches of an epoch.

        Args:
            epoch: `int`, from 0.

        Returns:
            Sequence with whatever `build_batch` needs for each batch: the same each
            time it is asked, and of the same length in every epoch.
        """
        raise NotImplementedError

    def build_batch(self, plan):
        """Builds a batch.

        Args:
            plan: one item of `plan_epoch`.

        Returns:
            `(x,)`, `(x, y)` or `(x, y, sample_weight)`.
        """
        raise NotImplementedError

    def settings(self):
        """What the plans depend on.

        Returns:
            `dict` of JSON's types. A position fits datasets of equal settings alone.
        """
        raise NotImplementedError

    # === Batches

    def __len__(self):
        """Batches in a whole epoch, the same number in every epoch."""
        return len(self._plan)

    @property
    def num_batches(self):
        """Batches that are left in this epoch: all, unless it was restored midway."""
        return self._num_batches

    def __getitem__(self, index):
        """Builds the batch at `index`, counted from where the epoch starts.

        Args:
            index: `int`, 0 to `num_batches - 1`.

        Returns:
            `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

        Raises:
            IndexError: if there is no such batch.
        """
        if not 0 <= index < self.num_batches:
            raise IndexError(
                f"Expected a batch from 0 to {self.num_batches - 1}. Received: {index}"
            )
        return self.build_batch(self._plan[self._first + index])

    # === Position

    @property
    def epoch(self):
        """Number of the epoch whose order is in force, from 0."""
        return self._epoch

    def begin_epoch(self, epoch):
        """Takes the order of this epoch, from its restored batch or from its first.

        Args:
            epoch: `int`, from 0.

        Raises:
            ValueError: if another epoch was restored.
        """
        state, self._restored = self._restored, None
        if state and state["epoch"] != epoch:
            raise ValueError(
                f"Expected training to go on in the restored epoch {state['epoch']} "
                f"(`fit(initial_epoch={state['epoch']})`). Received: epoch={epoch}"
            )
        self._begin(epoch, state["batch"] if state else 0)

    def mark_trained(self, num_batches):
        """Notes for `state` how many batches were trained since the epoch began.

        Args:
            num_batches: `int`, 0 to the `num_batches` of this epoch.
        """
        self._trained = num_batches

    def on_epoch_begin(self):
        """Called by Keras at the beginning of an epoch.

        Raises:
            RuntimeError: if a position was restored and nothing took it up.
        """
        # Keras builds a model in an epoch of its own, before it ends "the last" one.
        if self._restored and self._epoch != self._restored["epoch"]:
            raise RuntimeError(
                "Expected kftune.training.DataPosition among the callbacks of fit "
                f"after restore(). Received an epoch without it; restored is epoch "
                f"{self._restored['epoch']}, batch {self._restored['batch']}."
            )

    def on_epoch_end(self):
        """Goes on to the next epoch's order; called by Keras."""
        self._begin(self._epoch + 1)

    def state(self):
        """The position in the training data.

        Returns:
            `dict` of JSON's types: `"epoch"`, from 0, `"batch"`, how many of its
            batches were trained, and the `"settings"` that the order depends on.
        """
        if self._restored:
            return {**self._restored, "settings": self.settings()}
        epochs, batch = divmod(self._first + self._trained, len(self))
        epoch = self._epoch + epochs
        return {"epoch": epoch, "batch": batch, "settings": self.settings()}

    def restore(self, state):
        """Makes the next `fit` train the rest of an epoch, from a saved position.

        Keras wants as many batches in every epoch of a `fit`, so the rest of an epoch
        is a `fit` of its own:

        ```python
        data.restore(state)
        settings = {"shuffle": False, "callbacks": [DataPosition(data)]}
        epoch = state["epoch"]
        model.fit(data, initial_epoch=epoch, epochs=epoch + 1, **settings)
        model.fit(data, initial_epoch=epoch + 1, epochs=epochs, **settings)
        ```

        Args:
            state: `dict` that `state` returned, here or in another process.

        Raises:
            ValueError: if the settings are not the same; lists all that differ.
        """
        self.check_position(state)
        epoch, batch = state["epoch"], state["batch"]
        self._restored = {"epoch": epoch, "batch": batch}
        # Keras takes TensorFlow's signature before the epoch begins, from the first
        # two batches: until then these are those of the whole epoch, which differ in
        # length. A single batch is a signature of its own.
        rest = len(self) - batch
        self._begin(epoch, batch if rest == 1 else 0)
        self._num_batches = rest

    def check_position(self, state):
        """Checks that a position was saved for these data.

        Args:
            state: `dict` that `state` returned.

        Raises:
            ValueError: if the settings are not the same; lists all that differ.
        """
        if differing := differences(state["settings"], self.settings()):
            raise ValueError(
                f"The position was saved for other data. {'; '.join(differing)}"
            )

    def _begin(self, epoch, first=0):
        """Plans the epoch's batches and starts at its batch `first`."""
        self._plan = self.plan_epoch(epoch)
        self._epoch, self._first, self._trained = epoch, first, 0
        self._num_batches = len(self) - first
