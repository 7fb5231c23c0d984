"""Checks within seconds that a Ray cluster answers at RAY_ADDRESS and accepts us; Ray would take minutes."""

import os
import re
import socket
import threading
from collections.abc import Callable
from typing import Any

from tuner.base.private import given_temporaries
from tuner.errors import TunerError, UsageError
from tuner.search.session.environment import read_environment_again

LOCAL_RAY = "local"
AUTO = "auto"
CONNECT_S = 4.0
ANSWER_S = 8.0  # enough for a busy machine
IN_ALL_S = 13.0  # in total, including name resolution and further addresses
LOOPBACK = ("127.0.0.1", "::1", "localhost")
CLUSTER = "the address of a running Ray cluster that can be reached from here"
ALONE = "unset RAY_ADDRESS to search on this machine only"
FORM = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^\s:/@\[\]?#]+)):(?P<port>\d{1,5})")


def ray_address() -> str:
    """The value of RAY_ADDRESS: HOST:PORT, `AUTO`, or `LOCAL_RAY` if it names no cluster."""
    address = os.environ.get("RAY_ADDRESS", "").strip()
    return address.lower() if address.lower() in (LOCAL_RAY, AUTO) else address or LOCAL_RAY


def require_cluster(address: str) -> str:
    """The cluster's address as HOST:PORT, once it has answered.

    Raises:
        UsageError: it is not an address of Ray's own protocol.
        TunerError: no answer, not a Ray cluster, or access refused; raised within seconds, with the address.
    """
    read_environment_again()
    found = _of_this_user() if address == AUTO else address
    host, port = _parts(found)
    _in_time(lambda: _answer(found, host, port), found)
    return found


def is_on_loopback_only(address: str) -> bool:
    """Whether a cluster that has answered at 127.0.0.1 answers only there; Ray would look for it at this node's own."""
    from ray._raylet import node_ip_address_from_perspective  # type: ignore[attr-defined]

    host, port = _parts(address)
    if host not in LOOPBACK:
        return False
    try:
        socket.create_connection((node_ip_address_from_perspective(), port), CONNECT_S).close()
    except OSError:
        return True
    return False


def _parts(address: str) -> tuple[str, int]:
    parts = FORM.fullmatch(address)
    if parts is None or not 0 < int(parts["port"]) < 65536:
        shown = re.sub(r"[^/@]*@", "...@", ascii(address)[1:-1])  # do not print a password
        raise UsageError(
            f"RAY_ADDRESS={shown} is not an address of a Ray cluster",
            "HOST:PORT of Ray's own protocol, such as 127.0.0.1:6379 or [::1]:6379",
            f"set it in that form (the dashboard's URL goes into RAY_API_SERVER_ADDRESS), or {ALONE}",
        )
    return parts["six"] or parts["host"], int(parts["port"])


def _of_this_user() -> str:
    """The cluster that this user's `ray start` last started or joined here; Ray would also use another user's.

    Raises:
        TunerError: there is none.
    """
    from ray._common.utils import get_ray_address_file
    from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available

    place = os.environ.get("RAY_TMPDIR") or given_temporaries() or "/tmp"
    path = get_ray_address_file(os.path.join(place, "ray"))  # noqa: PTH118  as Ray joins them
    todo = f"set RAY_ADDRESS to HOST:PORT of a cluster, start one (python -m cluster.up), or {ALONE}"
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  the owner is that of the very file that is read
            owner, text = os.fstat(file.fileno()).st_uid, file.read(1000).strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise TunerError(f"RAY_ADDRESS=auto finds no cluster here ({path}: {reason})", CLUSTER, todo) from None
    if owner not in (0, os.getuid()):
        raise TunerError(f"RAY_ADDRESS=auto finds only another user's cluster ({path})", "a cluster of yours", todo)
    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    return text


def _in_time(ask: Callable[[], None], address: str) -> None:
    """Ask in a thread, because name resolution cannot be interrupted."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            ask()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, name="ray-address", daemon=True)
    thread.start()
    thread.join(IN_ALL_S)
    if thread.is_alive():
        raise _unreachable(address, f"no answer within {IN_ALL_S:g} s")
    if raised:
        raise raised[0]


def _answer(address: str, host: str, port: int) -> None:
    """Connect, and run a health check of the cluster's control store."""
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except (OSError, UnicodeError) as error:  # the host name may be invalid
        raise _unreachable(address, str(getattr(error, "strerror", None) or error)) from None
    import grpc  # type: ignore[import-untyped]
    import ray
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import gcs_service_pb2 as messages
    from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub
    from ray.exceptions import AuthenticationError

    try:
        with init_grpc_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
            control: Any = NodeInfoGcsServiceStub(channel)  # type: ignore[no-untyped-call]
            reply = control.CheckAlive(messages.CheckAliveRequest(), timeout=ANSWER_S)  # type: ignore[attr-defined]
    except AuthenticationError as error:
        raise _refused(address, str(error).split(". ")[0]) from None
    except grpc.RpcError as error:
        if error.code() in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
            raise _refused(address, "the token is missing or wrong") from None
        late = error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        silent = f"it accepts connections, but does not answer within {ANSWER_S:g} s"
        raise _unreachable(address, silent if late else "the service there is not a Ray cluster") from None
    if reply.ray_version != ray.__version__:
        raise TunerError(
            f"RAY_ADDRESS={address}: the cluster runs Ray {reply.ray_version}, and this is Ray {ray.__version__}",
            "the same version of Ray everywhere",
            f"install that version on one side (requirements/search.txt names ours), or {ALONE}",
        )


def _unreachable(address: str, reason: str) -> TunerError:
    todo = f"start it (python -m cluster.up), correct the address, or {ALONE}"
    return TunerError(f"RAY_ADDRESS={address}: {reason}", CLUSTER, todo)


def _refused(address: str, reason: str) -> TunerError:
    return TunerError(
        f"RAY_ADDRESS={address}: the cluster refuses access: {reason}",
        "the cluster's own token, by RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH",
        f"set both (source the env.sh of a cluster that cluster.up started), or {ALONE}",
    )
