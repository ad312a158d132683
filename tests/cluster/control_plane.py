"""A real Kubernetes control plane on loopback ports of this machine."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.cluster import audit, binaries
from tests.cluster.credentials import Authority, Tokens, admission, kubeconfig, write_key
from tests.cluster.processes import Process, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# The API server dials `clusterIP:port` for a webhook given by service. In a range of loopback
# that reaches a server of this machine without any network set-up.
SERVICE_RANGE = "127.100.0.0/16"

WEBHOOK_HOST = "hami-admission.hami-system.svc"

# Asked to end, etcd and the API server wait for their clients, up to a minute. Nothing is lost
# when they are killed: etcd's log and the audit log are written as they go.
BUSY_GRACE = 2.0

USER_BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "test-user-edits"},
    "roleRef": {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "edit",
    },
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
}


class ControlPlane:
    """etcd, kube-apiserver and kube-controller-manager; schedulers on demand."""

    def __init__(
        self,
        *,
        keep_logs: bool = False,
        services: str = SERVICE_RANGE,
        controller_accounts: bool = True,
    ) -> None:
        """Starts nothing; `keep_logs` may be set until `stop`; `services` is their range.

        `controller_accounts`: each controller has a service account of its own.
        """
        self.keep_logs = keep_logs
        self.services = ip_network(services)
        self._controller_accounts = controller_accounts
        self.folder = Path(tempfile.gettempdir())
        self.url = ""
        self.processes: list[Process] = []
        self._binaries = Path()
        self._authority: Authority
        self.clients: Authority
        """Has signed the client certificate that the API server shows to our webhooks."""
        self._tokens: Tokens

    def __enter__(self) -> Self:
        """Starts and waits until ready."""
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Stops everything; the logs stay when the body failed."""
        self.keep_logs = self.keep_logs or kind is not None
        self.stop()

    @property
    def ca_file(self) -> Path:
        """The authority of the API server's certificate."""
        return self._authority.file

    @property
    def etcd(self) -> Process:
        """The store; after a restart the API server finds it again by itself."""
        return self._named("etcd")

    @property
    def apiserver(self) -> Process:
        """The API server; a restart keeps its address, tokens, objects and audit log."""
        return self._named("kube-apiserver")

    @property
    def controller_manager(self) -> Process:
        """The real controllers; they may end while the API server is away: restart them."""
        return self._named("kube-controller-manager")

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.folder / "logs"

    def start(self) -> None:
        """Starts all parts and waits until the API server is ready, 60 s at most."""
        self._binaries = binaries.ensure()
        self.folder = Path(tempfile.mkdtemp(prefix="hami-control-plane-"))
        for part in ("logs", "data"):
            (self.folder / part).mkdir()
        try:
            self._start_parts()
        except BaseException as failure:
            for process in self.processes:
                failure.add_note(process.tail())
            self.keep_logs = True
            self.stop()
            raise

    def stop(self) -> None:
        """Stops all processes, newest first, and deletes the data."""
        while self.processes:
            self.processes.pop().stop()
        if self.keep_logs:
            shutil.rmtree(self._data, ignore_errors=True)
            sys.stdout.write(f"logs of the control plane: {self.logs}\n")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def token(self, identity: str) -> str:
        """The bearer token of an identity."""
        return self._tokens[identity]

    def kubeconfig(self, identity: str) -> Path:
        """The kubeconfig file of an identity."""
        path = self._data / f"{identity}.kubeconfig"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(kubeconfig(self.url, self.ca_file, self.token(identity)))
        return path

    def audit(self, *, from_now: bool = False) -> audit.Audit:
        """The requests since the start, or from now on."""
        path = self.logs / "audit.log"
        start = path.stat().st_size if from_now and path.exists() else 0
        return audit.Audit(path, start)

    def kubectl(self, *args: str, input: str | None = None, identity: str = "admin") -> str:
        """Runs kubectl and returns its output; raises with its standard error."""
        done = self.try_kubectl(*args, input=input, identity=identity)
        if done.returncode:
            raise RuntimeError(f"kubectl {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def try_kubectl(
        self, *args: str, input: str | None = None, identity: str = "admin"
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl and returns what came of it."""
        command = [
            str(self._binaries / "kubectl"),
            f"--kubeconfig={self.kubeconfig(identity)}",
            f"--cache-dir={self._data / 'kubectl'}",
            *args,
        ]
        return subprocess.run(command, input=input, capture_output=True, text=True, check=False)

    def start_scheduler(
        self,
        config: Mapping[str, Any] | str | Path,
        env: Mapping[str, str] | None = None,
        kubeconfig: Path | None = None,
    ) -> Process:
        """Starts a kube-scheduler with a (partial) configuration: an object, YAML or its file.

        `env` adds to this environment; `kubeconfig` stands in place of the usual one.
        """
        if not isinstance(config, Mapping):
            text = config.read_text() if isinstance(config, Path) else config
            config = yaml.safe_load(text) or {}
        kubeconfig_file = kubeconfig or self.kubeconfig("kube-scheduler")
        full = {
            "apiVersion": "kubescheduler.config.k8s.io/v1",
            "kind": "KubeSchedulerConfiguration",
            **config,
        }
        full["clientConnection"] = {
            "qps": 500,
            "burst": 1000,
            **full.get("clientConnection", {}),
            "kubeconfig": str(kubeconfig_file),
        }
        full["leaderElection"] = {"leaderElect": False, **full.get("leaderElection", {})}
        name = self._unused_name("kube-scheduler")
        config_file = self._data / f"{name}.json"
        config_file.write_text(json.dumps(full))
        port = free_port()
        return self._launch(
            name,
            [
                self._binaries / "kube-scheduler",
                f"--config={config_file}",
                f"--authentication-kubeconfig={kubeconfig_file}",
                f"--authorization-kubeconfig={kubeconfig_file}",
                "--bind-address=127.0.0.1",
                f"--secure-port={port}",
            ],
            env=env,
            ready=lambda: answers(f"https://127.0.0.1:{port}/healthz"),
        )

    def run_process(
        self,
        name: str,
        argv: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
        *,
        grace: float = 10.0,
    ) -> Process:
        """Runs any program until the plane stops; `env` adds to this environment.

        It has so many seconds to end when it is asked to.
        """
        return self._launch(self._unused_name(name), argv, env=env, grace=grace)

    def binary(self, name: str) -> Path:
        """A program of this control plane."""
        return self._binaries / name

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _start_parts(self) -> None:
        self._authority = Authority(self._data)
        self.clients = Authority(self._data, "webhook-clients")
        self._tokens = Tokens(self._data / "tokens.csv")
        service_accounts = write_key(self._data / "service-accounts.key")
        client, peer, secure, manager = (free_port() for _ in range(4))
        self.url = f"https://127.0.0.1:{secure}"
        self._launch("etcd", self._etcd(client, peer), grace=BUSY_GRACE)
        # Not awaited: the API server retries until etcd answers.
        self._launch(
            "kube-apiserver",
            self._api_server(secure, f"http://127.0.0.1:{client}", service_accounts),
            ready=lambda: answers(f"{self.url}/readyz", self.ca_file),
            grace=BUSY_GRACE,
        )
        # It ends when it starts before the API server has made the roles of the system.
        self._launch(
            "kube-controller-manager",
            self._controller_manager(manager, service_accounts),
            ready=lambda: answers(f"https://127.0.0.1:{manager}/healthz"),
        )
        self._bind_user()

    def _etcd(self, client: int, peer: int) -> list[str | Path]:
        client_url, peer_url = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        return [
            self._binaries / "etcd",
            f"--data-dir={self._data / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client_url}",
            f"--advertise-client-urls={client_url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
        ]

    def _api_server(self, port: int, etcd: str, service_accounts: Path) -> list[str | Path]:
        certificate, key = self._authority.issue(
            "kube-apiserver",
            ["127.0.0.1", str(self.services[1]), "localhost", "kubernetes.default.svc"],
        )
        shown = self.clients.issue("api-server-as-client", ["kube-apiserver"])
        policy = self._data / "audit-policy.json"
        policy.write_text(json.dumps(audit.POLICY))
        return [
            self._binaries / "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            # A machine without a default route has no address to advertise, and endpoints
            # refuse loopback: nothing here uses the kubernetes service.
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self._data}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={service_accounts}",
            f"--service-account-signing-key-file={service_accounts}",
            f"--token-auth-file={self._tokens.file}",
            f"--admission-control-config-file={admission(self._data, WEBHOOK_HOST, shown)}",
            "--authorization-mode=RBAC",
            f"--service-cluster-ip-range={self.services}",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.logs / 'audit.log'}",
            # Larger than any test run: a rotated log would lose entries from view.
            "--audit-log-maxsize=10000",
        ]

    def _controller_manager(self, port: int, service_accounts: Path) -> list[str | Path]:
        identity = "kube-controller-manager" if self._controller_accounts else "controllers"
        config = self.kubeconfig(identity)
        return [
            self._binaries / "kube-controller-manager",
            f"--kubeconfig={config}",
            f"--authentication-kubeconfig={config}",
            f"--authorization-kubeconfig={config}",
            f"--service-account-private-key-file={service_accounts}",
            f"--root-ca-file={self.ca_file}",
            f"--use-service-account-credentials={str(self._controller_accounts).lower()}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            # Without it nodes need no heartbeats.
            "--controllers=*,-nodelifecycle",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            "--concurrent-deployment-syncs=10",
            "--concurrent-replicaset-syncs=10",
        ]

    def _launch(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        ready: Callable[[], bool] | None = None,
        grace: float = 10.0,
    ) -> Process:
        log = self.logs / f"{name}.log"
        process = Process(name, argv, log, env=env, ready=ready, grace=grace)
        process.start()
        self.processes.append(process)
        process.await_ready()
        return process

    def _named(self, name: str) -> Process:
        return next(process for process in self.processes if process.name == name)

    def _unused_name(self, name: str) -> str:
        number, unused = 1, name
        while (self.logs / f"{unused}.log").exists():
            number += 1
            unused = f"{name}-{number}"
        return unused

    def _bind_user(self) -> None:
        request = urllib.request.Request(
            f"{self.url}/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            json.dumps(USER_BINDING).encode(),
            {
                "Authorization": f"Bearer {self.token('admin')}",
                "Content-Type": "application/json",
            },
        )
        context = ssl.create_default_context(cafile=os.fspath(self.ca_file))
        urllib.request.urlopen(request, timeout=10, context=context).close()


def answers(url: str, ca_file: Path | None = None) -> bool:
    """Whether a GET gives 200; without an authority from any server that holds a certificate."""
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file is None:
        # The other components make up a certificate of their own at start.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=2, context=context) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
