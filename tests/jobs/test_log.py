"""What a command logs: lines with the time where no terminal is, messages of the library, and no traces afterwards."""

import io
import logging
import re
import sys

import pytest
from rich.console import Console

from jobs.log import PACKAGES, listening
from jobs.output import progress
from tuner.base.progress import ConsoleProgress

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def test_steps_have_their_time_in_a_log(capsys):
    told = progress()
    told.say("a fact")
    told.warn("a doubt")
    with told.step("a step"):
        pass
    lines = capsys.readouterr().out.splitlines()
    assert [re.fullmatch(f"{STAMP} (.*)", line)[1] for line in lines] == ["a fact", "a doubt", "a step ..."]


@pytest.mark.parametrize(("verbosity", "count"), [(0, 1), (1, 2), (2, 3), (9, 3)])
def test_messages_of_the_library_are_shown_as_asked(verbosity, count, capsys):
    log = logging.getLogger("tuner.store.somewhere")
    with listening(verbosity):
        log.warning("one %s", "warning")
        log.info("for -v")
        log.debug("for -vv")
    log.warning("nobody listens any more")
    lines = capsys.readouterr().err.splitlines()
    shown = [line for line in lines if re.match(STAMP, line)]
    assert len(shown) == count
    assert re.fullmatch(f"{STAMP} WARNING:( tuner.store.somewhere:)? one warning", shown[0])


def test_a_message_beside_a_spinner_has_lines_of_its_own():
    """A live display puts itself in the place of standard error, and the message goes through it."""
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    with listening(), ConsoleProgress(console).step("a step"):
        logging.getLogger("tuner.base.locks").warning("waiting for %s", "a lock")
    assert re.search(r"\x1b\[2K[^\x1b]* WARNING: waiting for a lock *\n", console.file.getvalue())


def test_loggers_are_left_as_they_were():
    def state():
        loggers = [logging.getLogger(name) for name in ("", *PACKAGES)]
        return [(logger.level, list(logger.handlers), logger.propagate) for logger in loggers]

    logging.getLogger("tuner").setLevel(logging.ERROR)
    before = state()
    try:
        with pytest.raises(ValueError, match="amid"), listening(2):
            raise ValueError("amid")
        assert state() == before
    finally:
        logging.getLogger("tuner").setLevel(logging.NOTSET)


def test_a_program_that_imports_the_commands_keeps_its_hook():
    assert sys.excepthook.__module__ != "jobs"
