"""Which points are likely to end without objective values: a decision tree over the trials that have ended."""

from collections.abc import Callable, Mapping
from typing import Any

from tuner.search.propose.protocol import History
from tuner.search.propose.space import Space


def doubtful(space: Space, history: History) -> Callable[[Mapping[str, Any]], bool]:
    """A predicate: whether a point is expected to have no model, or no value of an objective."""
    if all(trial.measured for trial in history.ended):
        return lambda params: False
    from sklearn.tree import DecisionTreeClassifier

    points = [space.coordinates(trial.params) for trial in history.ended]
    tree = DecisionTreeClassifier(random_state=0).fit(points, [trial.measured for trial in history.ended])
    return lambda params: not tree.predict([space.coordinates(params)])[0]
