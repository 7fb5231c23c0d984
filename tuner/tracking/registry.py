"""Puts a picked model into MLflow's model registry: a version with a source, tags and an alias.

The files stay what they are (safetensors and JSON); nothing is pickled and no flavour is claimed.
"""

from pathlib import Path

from tuner.errors import TunerError
from tuner.tracking.experiment import Experiment
from tuner.tracking.updates import trial_run


def register_model(experiment: Experiment, folder: Path, trial: int, alias: str, reason: str) -> str:
    """Log the folder with the trial's run and point the alias at it; the same model gets one version only.

    Args:
        experiment: where the trial is shown.
        folder: the model, named by its key in the store.
        trial: the trial it came from.
        alias: such as `picked`; it moves from the version that had it.
        reason: one sentence.

    Returns:
        The version's address, `models:/<name>/<version>`.

    Raises:
        TunerError: MLflow does not know the trial.
        mlflow.exceptions.MlflowException: what else MLflow finds wrong.
    """
    from mlflow.exceptions import MlflowException

    client, name = experiment.client, experiment.name
    run = experiment.runs.get(trial_run(trial))
    if run is None:
        raise TunerError(
            f"trial {trial} of search '{experiment.search}' is not in MLflow",
            "the run of a trial to register its model under",
            "replay the ledger first, or choose a trial of this search",
        )
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        client.create_registered_model(name, tags={"qpm.search": experiment.search})
    tags = {"qpm.search": experiment.search, "qpm.trial": str(trial), "qpm.model": folder.name}
    for found in client.search_model_versions(f"name = '{name}'"):
        if found.run_id == run.id and found.tags.get("qpm.model") == folder.name:
            version = found.version
            client.update_model_version(name, version, description=reason)
            break
    else:
        place = f"model/{folder.name}"
        client.log_artifacts(run.id, str(folder), place)
        source = f"{client.get_run(run.id).info.artifact_uri}/{place}"
        made = client.create_model_version(name, source, run.id, tags, description=reason)
        version = made.version
    client.set_registered_model_alias(name, alias, version)
    return f"models:/{name}/{version}"
