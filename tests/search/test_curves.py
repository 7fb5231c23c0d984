"""The learning curves of the report: those that are missing are told once, not one by one."""

from tests.ledgers import finished, home_with
from tuner.base.progress import Silent
from tuner.search.outcome.curves import learning_curves


class Told(Silent):
    """Keeps the warnings."""

    def __init__(self):
        self.warned = []

    def warn(self, line):
        self.warned.append(line)


def test_many_curves_that_are_gone_are_one_line_with_their_number(tmp_path):
    home, told = home_with(tmp_path / "runs", finished()), Told()
    assert list(learning_curves(home, home.state(), [2, 0, 1], told)) == []
    (line,) = told.warned
    assert line.startswith("learning curves of 3 of 3 trials (0, 1 and 2) are not in the report: ")
    told.warned.clear()
    assert list(learning_curves(home, home.state(), [1], told)) == []
    assert [line.partition(" are not")[0] for line in told.warned] == ["learning curves of trial 1"]
