"""Reloads Ray's cached environment settings; to be called after every change of the environment for Ray."""

from typing import Any


def read_environment_again() -> None:
    """Reload the settings and the token, which Ray caches at import and on first use."""
    import ray._raylet as raylet

    core: Any = raylet  # not in the type stubs
    core.Config.initialize("")
    core.AuthenticationTokenLoader.instance().reset_cache()
