"""Registers a picked model in MLflow's model registry: a version that MLflow loads, with tags and an alias.

The files stay safetensors and JSON; nothing is pickled. See `flavor.py` for what MLflow needs beside them.
"""

import tempfile
from pathlib import Path

from tuner.errors import TunerError
from tuner.tracking.experiment import Experiment
from tuner.tracking.flavor import LOADER, declare
from tuner.tracking.updates import trial_run


def register_model(experiment: Experiment, folder: Path, trial: int, alias: str, reason: str) -> str:
    """Log the folder to the trial's run and set the alias; registering a model again reuses its version.

    Args:
        experiment: experiment with the trial's run.
        folder: the model folder, named by its key in the store.
        trial: number of the model's trial.
        alias: such as `picked`; it is removed from the previous version.
        reason: why the model was picked, in one sentence.

    Returns:
        The version's address, `models:/<name>/<version>`.

    Raises:
        TunerError: MLflow does not know the trial.
        mlflow.exceptions.MlflowException: any other failure of MLflow.
    """
    from mlflow.exceptions import MlflowException

    client, name = experiment.client, experiment.name
    run = experiment.runs.get(trial_run(trial))
    if run is None:
        raise TunerError(
            f"trial {trial} of search '{experiment.search}' is not in MLflow",
            "a run of the trial, to which the model is logged",
            "replay the ledger first, or choose a trial of this search",
        )
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(name, tags={"qpm.search": experiment.search})
    model = {"qpm.model": folder.name, "qpm.loader": LOADER}  # earlier versions registered models without a loader
    tags = {"qpm.search": experiment.search, "qpm.trial": str(trial), **model}
    for found in client.search_model_versions(f"name = '{name}'"):
        if found.run_id == run.id and model.items() <= found.tags.items():
            version = found.version
            client.update_model_version(name, version, description=reason)
            break
    else:
        place = f"model/{folder.name}"
        with tempfile.TemporaryDirectory(prefix="qpm-tuner-model-") as made_in:
            client.log_artifacts(run.id, str(declare(folder, Path(made_in) / "model")), place)
        source = f"{client.get_run(run.id).info.artifact_uri}/{place}"
        made = client.create_model_version(name, source, run.id, tags, description=reason)
        version = made.version
    client.set_registered_model_alias(name, alias, version)
    return f"models:/{name}/{version}"
