import pytest

from kftune.export.retry import Retry
from kftune.export.serving_errors import TryAgainError, serving_error


class FakeTime:
    """A clock that only sleeping and work move on."""

    def __init__(self):
        self.now = 100.0
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def retry(self, **arguments):
        return Retry(sleep=self.sleep, clock=lambda: self.now, **arguments)


def failing(times, work=0.0, clock=None, error=TryAgainError):
    """An attempt that fails some times; `.left` are the seconds that it was given."""

    def attempt(left):
        attempt.left.append(left)
        if clock:
            clock.now += work
        if len(attempt.left) <= times:
            raise error(f"no. {len(attempt.left)}")
        return "answer"

    attempt.left = []
    return attempt


def test_pauses_double_up_to_the_longest_and_vary():
    clock = FakeTime()
    retry = clock.retry(retries=6, timeout=100.0, first_pause=1.0, longest_pause=8.0)
    assert retry.call(failing(6)) == "answer"
    for pause, longest in zip(clock.pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert longest / 2 <= pause <= longest
    assert len(set(clock.pauses[3:])) == 3


def test_nothing_is_repeated_that_worked_or_cannot_work():
    clock = FakeTime()
    assert clock.retry(retries=3, timeout=1.0).call(failing(0)) == "answer"
    for error in (ValueError, LookupError, TimeoutError, ConnectionError):
        attempt = failing(1, error=error)
        with pytest.raises(error, match="no. 1"):
            clock.retry(retries=3, timeout=1.0).call(attempt)
        assert len(attempt.left) == 1
    assert clock.pauses == []


def test_the_last_failure_is_told():
    attempt = failing(9)
    with pytest.raises(ConnectionError, match=r"none in 3 tries, the last: no\. 3"):
        FakeTime().retry(retries=2, timeout=99.0).call(attempt)
    assert len(attempt.left) == 3
    with pytest.raises(ConnectionError, match=r"none in 1 tries"):
        FakeTime().retry(retries=0, timeout=99.0).call(failing(9))


def test_the_deadline_holds_over_all_tries():
    clock = FakeTime()
    attempt = failing(9, work=3.0, clock=clock)
    retry = clock.retry(retries=9, timeout=10.0, first_pause=4.0)
    with pytest.raises(TimeoutError, match=r"within 10.0 s.*in 2 tries, .*no\. 2"):
        retry.call(attempt)
    # 3 s of work, 2 to 4 s of pause, 3 s of work: the next pause would be longer than
    # what is left.
    assert attempt.left[0] == 10.0
    assert attempt.left[1] == pytest.approx(7.0 - clock.pauses[0])
    assert clock.now <= 110.0


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("UNAVAILABLE", "down", TryAgainError),
        ("RESOURCE_EXHAUSTED", "full", TryAgainError),
        ("NOT_FOUND", "Servable not found for request: Latest(a)", LookupError),
        ("INVALID_ARGUMENT", "Missing named input: text", ValueError),
        # What TensorFlow Serving says by gRPC, and by REST.
        ("FAILED_PRECONDITION", 'Serving signature key "a" not found.', LookupError),
        ("INVALID_ARGUMENT", 'Serving signature name: "a" not found', LookupError),
        ("FAILED_PRECONDITION", "Table not initialized.", RuntimeError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", TimeoutError),
        ("INTERNAL", "oh", RuntimeError),
        ("HTTP 500", "oh", RuntimeError),
    ],
)
def test_each_status_has_its_exception(code, message, kind):
    error = serving_error(code, message)
    assert type(error) is kind
    assert str(error) == f"The server answered {code}: {message}"
