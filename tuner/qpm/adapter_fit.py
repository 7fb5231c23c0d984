"""Which tokens an adapter can take; imports no torch, so that a driver may ask before anything is extracted."""

from tuner.errors import UsageError
from tuner.qpm.settings import AdapterConfig

WITH_CLS = ("cls", "mean_avg", "concat_avg", "concat_max")  # poolings that read the CLS token


def check_fit(config: AdapterConfig, dim: int, has_cls: bool) -> None:
    """Refuse settings that a backbone's tokens do not allow.

    Args:
        config: the adapter's settings.
        dim: width of a token.
        has_cls: whether there is a CLS token.

    Raises:
        UsageError: the pooling reads a CLS token that is not there, or a residual adds tokens to features that are not
            as many as their numbers.
    """
    if config.pooling in WITH_CLS and not has_cls:
        raise UsageError(
            f"pooling {config.pooling} on tokens without CLS",
            "a backbone with a CLS token, or pooling avg or max",
            "set adapter.pooling to avg, or take another backbone",
        )
    if config.residual and config.width != (numbers := n_in(config, dim)):
        raise UsageError(
            f"adapter.residual adds tokens of {numbers} numbers to {config.width} features",
            "as many features as a token has numbers",
            f"set adapter.width={numbers}, or adapter.residual=false",
        )


def n_in(config: AdapterConfig, dim: int) -> int:
    """Numbers of a token as the first layer sees it."""
    return 2 * dim if config.pooling.startswith("concat") else dim
