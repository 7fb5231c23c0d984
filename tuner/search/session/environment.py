"""What Ray remembers of the environment, read anew: whoever changes the environment for Ray has to say so."""

from typing import Any


def read_environment_again() -> None:
    """Ray remembers what the environment said when it was imported, and the token it has read."""
    import ray._raylet as raylet

    core: Any = raylet  # no stub speaks of it
    core.Config.initialize("")
    core.AuthenticationTokenLoader.instance().reset_cache()
