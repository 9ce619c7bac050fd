import os
import signal
import threading

import pytest

from stridednet.training.interrupt import interrupts_held


def test_an_interrupt_waits_until_it_is_let_through() -> None:
    steps = []

    def work() -> None:
        with interrupts_held() as let_through:
            for step in range(5):
                if step == 1:
                    os.kill(os.getpid(), signal.SIGINT)
                steps.append(step)
                let_through()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert steps == [0, 1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_one_does_not_wait() -> None:
    sent = []

    def work() -> None:
        with interrupts_held():
            for number in range(3):
                os.kill(os.getpid(), signal.SIGINT)
                sent.append(number)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert sent == [0]


def test_other_handlers_and_threads_are_left_alone() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts_held():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)

    def elsewhere() -> None:
        with interrupts_held():
            seen.append(signal.getsignal(signal.SIGINT))

    seen: list[object] = []
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
