"""Ask a server again until it answers, the tries are used up, or the time is."""

import dataclasses
import random
import time
from collections.abc import Callable

from kftune.export.serving_errors import TryAgainError


@dataclasses.dataclass
class Retry:
    """Repeats what failed with `TryAgainError`, with growing pauses of random length.

    Random, so that many clients that failed together do not come back together.

    Attributes:
        retries: `int`, 0 or more. Tries after the first.
        timeout: `float`, seconds, more than 0, for all tries and pauses.
        first_pause: `float`, seconds. The first pause is half of it up to all of it;
            each further one is twice as long.
        longest_pause: `float`, seconds.
        sleep: function that waits a number of seconds.
        clock: function that gives seconds.

    Example:
    ```python
    Retry(retries=4, timeout=60.0).call(lambda left: ask_server(timeout=left))
    ```
    """

    retries: int
    timeout: float
    first_pause: float = 0.1
    longest_pause: float = 5.0
    sleep: Callable = time.sleep
    clock: Callable = time.monotonic

    def call(self, attempt):
        """Calls a function until it returns.

        Args:
            attempt: function of the seconds that are left.

        Returns:
            What `attempt` returned.

        Raises:
            ConnectionError: if the last try failed, too.
            TimeoutError: if there is no time for another try.
        """
        end = self.clock() + self.timeout
        for tries in range(1, self.retries + 2):
            try:
                return attempt(max(end - self.clock(), 1e-3))
            except TryAgainError as error:
                last = error
            if tries > self.retries:
                break
            pause = self._pause(tries)
            if pause >= end - self.clock():
                raise TimeoutError(
                    f"Expected an answer within {self.timeout} s. Received none in "
                    f"{tries} tries, the last: {last}"
                ) from last
            self.sleep(pause)
        raise ConnectionError(
            f"Expected an answer. Received none in {tries} tries, the last: {last}"
        ) from last

    def _pause(self, tries):
        longest = min(self.first_pause * 2 ** (tries - 1), self.longest_pause)
        return longest * random.uniform(0.5, 1)
