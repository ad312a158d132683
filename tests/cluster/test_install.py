"""Installed as users do it: the chart by Helm, our images on a real kubelet, no process of ours."""

from __future__ import annotations

import json
import sys
import threading
import time
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING

import pytest

from tests.cluster.install import CHART, NAMESPACE, RELEASE, TRIAL, Cluster, commands

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

INSTALL = (
    f"helm install {RELEASE} {CHART} --namespace {NAMESPACE} --create-namespace"
    f" --values {TRIAL} --wait --timeout 3m"
)
UNINSTALL = f"helm uninstall {RELEASE} --namespace {NAMESPACE} --wait"
LEFT = {f"secret/{RELEASE}-tls", f"lease/{RELEASE}", "lease/hami-scheduler"}
"""What NOTES says that it leaves."""

ROLES = {"clusterroles", "clusterrolebindings", "roles", "rolebindings"}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Nothing is installed on it; its logs stay when a test failed."""
    with Cluster() as made:
        yield made
        made.plane.keep_logs = bool(request.session.testsfailed)


@pytest.fixture
def installed(cluster: Cluster) -> Iterator[Cluster]:
    """The product, on two scripted cards of one node."""
    cluster.run(INSTALL)
    cluster.run("kubectl label node --all --overwrite gpu=on")
    cluster.run(f"kubectl rollout status daemonset/hami-node-agent -n {NAMESPACE} --timeout 60s")
    yield cluster
    if cluster.try_(f"helm status {RELEASE} -n {NAMESPACE}").returncode == 0:
        cluster.run(UNINSTALL)


def eventually(check: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Polls until the check holds."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
        time.sleep(0.3)


def pod(name: str, memory: int, namespace: str = "default") -> str:
    """A manifest; busybox that sleeps."""
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox:1.37
    command: [sleep, "600"]
    resources: {{limits: {{nvidia.com/gpu: 1, nvidia.com/gpumem: {memory}}}}}
"""


def test_the_quickstart_by_its_own_commands(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = commands("quickstart.md")
    begun, seen = time.monotonic(), {}
    *to_the_pod, delete, uninstall = lines
    for line in to_the_pod:
        if "reason=" in line:  # events are written a moment later
            eventually(partial(shows_some, cluster, line), line)
        seen[line.split()[1]] = cluster.run(line)
    took = time.monotonic() - begun
    with capsys.disabled():
        sys.stdout.write(f"[{len(to_the_pod)} commands of the quickstart in {took:.0f} s] ")
    for variable in (
        "NVIDIA_VISIBLE_DEVICES=GPU-0000000",
        "CUDA_DEVICE_MEMORY_LIMIT_0=8000m",
        "CUDA_DEVICE_SM_LIMIT=30",
    ):
        assert variable in seen["logs"]
    quota = cluster.get("resourcequota", "cards", "-n team-a")
    assert quota["status"]["used"] == {
        "limits.nvidia.com/gpu": "2",
        "limits.nvidia.com/gpumem": "16k",
    }
    assert "exceeded quota" in seen["get"]
    cluster.run(delete)
    cluster.run(uninstall)
    eventually(lambda: left(cluster) == LEFT, "only what NOTES says is left")
    everywhere = cluster.run(
        "kubectl get clusterrole,clusterrolebinding,mutatingwebhookconfiguration,"
        "validatingwebhookconfiguration,validatingadmissionpolicy,"
        "validatingadmissionpolicybinding -o name"
    )
    assert "hami" not in everywhere


def left(cluster: Cluster) -> set[str]:
    """What there is in our namespace, but for what every namespace has."""
    kinds = "all,secret,configmap,lease,role,rolebinding,pdb"
    listed = cluster.run(f"kubectl get {kinds} -n {NAMESPACE} -o name").split()
    found = {each.replace(".coordination.k8s.io", "") for each in listed}
    return {each for each in found if "kube-root-ca" not in each}


def shows_some(cluster: Cluster, line: str) -> bool:
    """Does it list anything?"""
    return "No resources" not in look(cluster, line)


def look(cluster: Cluster, line: str) -> str:
    """What a command says, on either side."""
    done = cluster.try_(line)
    return done.stdout + done.stderr


class Creations:
    """Ten pods each second, by a thread; ``refused`` is what was said of those that were not."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._create)
        self.made = 0
        self.refused: list[str] = []

    def __enter__(self) -> Creations:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _create(self) -> None:
        while not self._stop.wait(0.8):
            names = [f"load-{self.made + n}" for n in range(10)]
            manifest = "---".join(pod(name, 10) for name in names)
            done = self._cluster.try_("kubectl create --dry-run=server -f -", manifest)
            self.made += len(names)
            if done.returncode:
                self.refused.append(done.stderr)


def test_an_upgrade_and_a_rollback_refuse_nobody(installed: Cluster) -> None:
    with Creations(installed) as creations:
        installed.run(
            f"helm upgrade {RELEASE} {CHART} -n {NAMESPACE} --values {TRIAL}"
            " --set scheduler.replicas=3 --set scheduler.logFormat=text --wait --timeout 3m"
        )
        deployment = installed.get("deployment", RELEASE, f"-n {NAMESPACE}")
        assert deployment["status"]["readyReplicas"] == 3
        installed.run(f"helm rollback {RELEASE} -n {NAMESPACE} --wait --timeout 3m")
    assert creations.refused == []
    assert creations.made >= 100


def test_a_second_one_is_refused_by_the_name_of_what_is_there(installed: Cluster) -> None:
    done = installed.try_(f"helm install second {CHART} -n other --create-namespace")
    assert done.returncode
    assert RELEASE in done.stderr
    assert "exists and cannot be imported" in done.stderr
    assert installed.run(f"helm test {RELEASE} -n {NAMESPACE}")


def test_doctor_finds_nothing_wrong_with_it(installed: Cluster) -> None:
    def examined() -> subprocess.CompletedProcess[str]:
        return installed.try_(f"{sys.executable} -m hami_admission doctor -o json")

    # After a rollout it takes the replicas a while to find out who leads.
    eventually(lambda: examined().returncode == 0, "no problem is left")
    found = json.loads(examined().stdout)["findings"]
    assert [each for each in found if each["level"] == "problem"] == []
    checked = {each["check"] for each in found if each["level"] == "ok"}
    assert {"webhooks", "certificate", "trial", "replicas", "leases", "nodes"} <= checked


def test_pods_that_wait_are_not_stuck_when_it_goes(installed: Cluster) -> None:
    for name in ("goes", "stays"):
        installed.run("kubectl create -f -", pod(name, 80000))
        installed.run(f"kubectl wait pod {name} --for=condition=Ready --timeout 30s")
    installed.run("kubectl create -f -", pod("waits", 80000))
    eventually(lambda: "FilteringFailed" in look(installed, "kubectl get events"), "one waits")
    installed.run(UNINSTALL)
    running = installed.get("pod", "stays")
    assert running["status"]["phase"] == "Running"
    installed.run("kubectl delete pod goes waits --timeout 20s")
    # Nobody of ours is asked any more.
    create = partial(installed.try_, "kubectl create --dry-run=server -f -", pod("plain", 10))
    eventually(lambda: create().returncode == 0, "the policies are gone")
    installed.run("kubectl delete pod stays --timeout 20s")


def test_control_runs_where_the_restricted_level_is_enforced(cluster: Cluster) -> None:
    cluster.try_(f"kubectl create namespace {NAMESPACE}")
    label = "pod-security.kubernetes.io/enforce"
    cluster.run(f"kubectl label namespace {NAMESPACE} --overwrite {label}=restricted")
    try:
        cluster.run(f"{INSTALL} --set agent.enabled=false")
        cluster.run(f"helm test {RELEASE} -n {NAMESPACE}")
        cluster.run(UNINSTALL)
    finally:
        cluster.run(f"kubectl label namespace {NAMESPACE} {label}-")


def test_nothing_was_asked_that_the_chart_does_not_grant(cluster: Cluster) -> None:
    """In all of the above, kube-scheduler with our account's rights among it.

    Helm takes the roles away while the processes still end: what is forbidden from then on, until
    there are roles again, is no fault.
    """
    users = {f"system:serviceaccount:{NAMESPACE}:{each}" for each in (RELEASE, "hami-node-agent")}
    requests = cluster.plane.audit().requests()
    there = False
    allowed, forbidden = set(), set()
    for each in sorted(requests, key=itemgetter("requestReceivedTimestamp")):
        about, verb = each.get("objectRef", {}), each["verb"]
        if about.get("resource") in ROLES and verb in {"create", "delete"}:
            there = verb == "create"
        if each["user"].get("username") not in users:
            continue
        what = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
        if each.get("responseStatus", {}).get("code") != 403:
            allowed.add((verb, what))
        elif there:
            forbidden.add((verb, what))
    assert len(allowed) > 10
    # An API server knows of a role a moment after it was created.
    assert forbidden - allowed == set()
