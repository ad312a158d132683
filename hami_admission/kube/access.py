"""Where the API server is and who we are there: by the files of our pod, or by a kubeconfig.

The files of a pod are three, so they are read here. For a kubeconfig, with all the ways in which
one can name an identity, there is kubernetes-asyncio; it brings the models of every kind of object
with it, 40 MiB that a process in a pod does without.
"""

from __future__ import annotations

import os
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from hami_admission.kube import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a kubelet mounts the token and the authority of a service account."""

TOKEN_SECONDS = 60.0
"""After which the token is read anew: the kubelet replaces it long before it ends."""


@dataclass(frozen=True, slots=True)
class Access:
    """``identity`` gives the headers of each request, ``way`` are its further arguments.

    The connections belong to who made the access; ``close`` ends them.
    """

    base: str
    connector: aiohttp.BaseConnector | None
    identity: Callable[[], Awaitable[dict[str, str]]]
    close: Callable[[], Awaitable[None]]
    way: dict[str, Any] = field(default_factory=dict)


async def find(kubeconfig: str | None) -> Access:
    """By kubeconfig file, or as the service account of the pod that we run in.

    Raises NoConfiguration with what is wrong.
    """
    return mounted() if kubeconfig is None else await configured(kubeconfig)


def mounted(folder: Path = ACCOUNT) -> Access:
    """As the service account of our pod; raises NoConfiguration."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    port = os.environ.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise errors.NoConfiguration("not in a pod, and no --kubeconfig")
    try:
        tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        token = _Token(folder / "token")
    except (OSError, ssl.SSLError) as error:
        raise errors.NoConfiguration(f"{folder}: {error}") from error
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    base = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Access(base, connector, token.headers, connector.close)


class _Token:
    """The token as it stands in its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = time.monotonic()
        self._text = path.read_text().strip()

    async def headers(self) -> dict[str, str]:
        """A file that cannot be read for a moment leaves the token as it was."""
        if time.monotonic() - self._read_at > TOKEN_SECONDS:
            self._read_at = time.monotonic()
            with suppress(OSError):
                self._text = self._path.read_text().strip() or self._text
        return {"Authorization": f"Bearer {self._text}"}


async def configured(kubeconfig: str) -> Access:
    """By a kubeconfig file; raises NoConfiguration."""
    import yaml
    from kubernetes_asyncio import config
    from kubernetes_asyncio.client import ApiClient, Configuration

    configuration = Configuration()
    try:
        await config.load_kube_config(kubeconfig, client_configuration=configuration)
    except (config.ConfigException, OSError, yaml.YAMLError) as error:
        raise errors.NoConfiguration(f"{kubeconfig}: {error}") from error
    api = ApiClient(configuration)
    rest = api.rest_client

    async def identity() -> dict[str, str]:
        headers: dict[str, str] = {}
        await api.update_params_for_auth(headers, [], ["BearerToken"])
        return headers

    way = {
        "proxy": rest.proxy,
        "proxy_headers": rest.proxy_headers,
        "server_hostname": rest.server_hostname,
    }
    base = str(configuration.host).rstrip("/")
    return Access(base, rest.pool_manager.connector, identity, api.close, way)
