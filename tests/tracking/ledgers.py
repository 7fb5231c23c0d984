"""A ledger as a search writes it, and a look at what MLflow has of it."""

from typing import Any

Events = list[dict[str, Any]]


def curves(stage: str, key: str) -> list[dict[str, float]]:
    """Three epochs for the stages that train."""
    if stage not in ("dense", "finetune"):
        return []
    return [{"epoch": epoch, "loss": 1 / epoch, "accuracy": 60.0 + epoch} for epoch in (1, 2, 3)]


def trial_events(trial: int, time_s: float) -> Events:
    params = {"n_features": 50, "features_per_class": 5, "width": 512, "seed": trial}
    events: Events = [{"event": "trial", "trial": trial, "params": params}]
    for stage, seconds in (("dense", 9.0), ("assign", 4.0), ("finetune", 6.0), ("evaluate", 1.0)):
        reused = stage == "dense" and trial > 0
        event = {"event": "stage", "trial": trial, "stage": stage, "key": f"{stage}{trial}", "reused": reused}
        events.append(event | {"seconds": seconds, "saved_s": 12.3 if reused else 0.0})
    values = {"accuracy": 79.0 + trial / 100, "plausibility": 50.0 - trial / 100, "sid5": float("nan")}
    end = {"event": "outcome", "trial": trial, "outcome": "complete", "stage": None, "cause": None}
    events.append(end | {"values": values, "model": f"finetune{trial}", "seconds": 20.0})
    return [event | {"time_s": time_s + step / 8} for step, event in enumerate(events)]


def search_start(time_s: float = 1000.0, n_trials: int = 4) -> dict[str, Any]:
    recipe: dict[str, Any] = {"objectives": ["accuracy", "plausibility"]}
    recipe |= {"data": {"name": "digits"}, "space": {"n_features": [10, 50]}, "budget": {"trials": n_trials}}
    return {"event": "search", "time_s": time_s, "recipe": recipe, "versions": {"torch": "2.13.0"}}


def ledger(n_trials: int) -> Events:
    events = [search_start()]
    for trial in range(n_trials):
        events += trial_events(trial, 1001.0 + trial)
    return events


def look(uri: str, search: str) -> dict[str, Any]:
    """All runs of a search by name; two of one name are an error."""
    from mlflow import MlflowClient

    client = MlflowClient(uri, registry_uri=uri)
    experiment = client.get_experiment_by_name(search)
    runs = client.search_runs([experiment.experiment_id], max_results=5000) if experiment else []
    names = [run.info.run_name for run in runs]
    assert len(set(names)) == len(names), f"shown twice: {sorted(names)}"
    return dict(zip(names, runs, strict=True))


def history(uri: str, run_id: str, key: str) -> list[tuple[int, float]]:
    """(step, value) of every point MLflow keeps of a metric."""
    from mlflow import MlflowClient

    points = MlflowClient(uri).get_metric_history(run_id, key)
    return sorted((point.step, point.value) for point in points)
