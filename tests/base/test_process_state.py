"""What libraries change in the user's process is undone."""

import logging
import os
import random
import signal
import sys
import threading

import pytest

from tuner.base.process_state import unchanged_process


def disturbed():
    os.environ["QPM_TEST_NEW"] = "1"
    os.environ["QPM_TEST_OLD"] = "other"
    os.environ.pop("QPM_TEST_GONE")
    logging.getLogger("qpm_test").setLevel(logging.CRITICAL)
    logging.getLogger().setLevel(logging.DEBUG)
    sys.excepthook = print
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def test_numbers_that_libraries_draw_are_not_missed():
    random.seed(3)
    expected = [random.random(), random.random()]
    random.seed(3)
    drawn = [random.random()]
    with unchanged_process():
        random.seed()
        random.random()
    assert [*drawn, random.random()] == expected


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_everything_is_as_before_also_after_an_error(monkeypatch, in_a_thread):
    monkeypatch.setenv("QPM_TEST_OLD", "as it was")
    monkeypatch.setenv("QPM_TEST_GONE", "here")
    logging.getLogger("qpm_test").setLevel(logging.DEBUG)
    before = dict(os.environ), signal.getsignal(signal.SIGTERM), sys.excepthook, logging.getLogger().level
    failed = []

    def work():
        try:
            with unchanged_process():
                disturbed()
                raise ValueError("broken")
        except ValueError as error:
            failed.append(error)

    if in_a_thread:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    else:
        work()
    assert failed
    assert (dict(os.environ), signal.getsignal(signal.SIGTERM), sys.excepthook, logging.getLogger().level) == before
    assert logging.getLogger("qpm_test").level == logging.DEBUG
