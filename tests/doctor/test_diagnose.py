"""Each finding from one thing that is not as in a healthy cluster."""

from __future__ import annotations

import dataclasses
import json
from io import StringIO
from typing import Any

import msgspec
import pytest
from rich.console import Console

from hami_admission.doctor import objects, report
from hami_admission.doctor.diagnose import diagnose, sound
from hami_admission.doctor.finding import Finding
from hami_admission.doctor.seen import Observed, Seen
from hami_admission.settings import NvidiaOptions, Settings
from tests import build
from tests.doctor import clusters
from tests.doctor.clusters import healthy

CLOSED: Seen[Any] = Seen(why="may not look: nodes is forbidden")
NO_SUCH: Seen[Any] = Seen(why="404", absent=True)
OWN = clusters.workload("hami-system/hami-admission")
LABELLED = {"gpu": "on"}
HOOK = 'failed calling webhook "mutate.hami.io": failed to call webhook: Post "https://h": '

Case = tuple[dict[str, Any], str, str, str]
"""What differs, the level, the check and words of the finding (or of what to do)."""


def conditions(text: str) -> list[dict[str, str]]:
    """Of a webhook."""
    return [{"name": "c", "expression": text}]


def namespaces(*terms: dict[str, Any]) -> dict[str, Any]:
    """A selector of a webhook that leaves out what it must, and has these terms."""
    key = "kubernetes.io/metadata.name"
    values = ["kube-system", "hami-system"]
    own = {"key": key, "operator": "NotIn", "values": values}
    return {"matchExpressions": [own, *terms]}


def service(path: str) -> dict[str, Any]:
    """The way to a webhook."""
    where = {"namespace": "hami-system", "name": "hami-admission", "path": path}
    return {"service": where, "caBundle": clusters.BUNDLE}


SERVER: dict[str, Case] = {
    "too old": (clusters.version("1", "27"), "problem", "api server", "older than 1.28"),
    "without policies": (clusters.version("1", "29+"), "warning", "api server", "update the"),
    "of no known form": (clusters.version("one", "x"), "unknown", "api server", "version"),
    "silent": ({"version": CLOSED}, "unknown", "api server", "may not look"),
}

WEBHOOKS: dict[str, Case] = {
    "not there": ({"mutating": Seen([])}, "problem", "webhooks", "not there"),
    "nobody may look": ({"validating": CLOSED}, "unknown", "webhooks", "may not look"),
    "empty": (
        {"mutating": Seen([objects.Configuration(metadata=objects.Metadata("hami-admission"))])},
        "problem",
        "webhooks",
        "has no webhooks",
    ),
    "fails open": (clusters.mutating(failurePolicy="Ignore"), "problem", "webhooks", "Ignore"),
    "no dry run": (clusters.mutating(sideEffects="Some"), "problem", "webhooks", "dry runs are"),
    "short of time": (clusters.mutating(timeoutSeconds=2), "warning", "webhooks", "may take 2.5 s"),
    "no rule": (clusters.mutating(rules=[]), "problem", "webhooks", "no rule"),
    "rules for other things": (
        clusters.mutating(rules=[{"operations": ["UPDATE"], "resources": ["pods"]}]),
        "problem",
        "webhooks",
        "no rule",
    ),
    "all namespaces": (
        clusters.mutating(namespaceSelector={}),
        "warning",
        "webhooks",
        "pods of hami-system and kube-system too",
    ),
    "few namespaces": (
        clusters.mutating(namespaceSelector=namespaces({"key": "team", "operator": "Exists"})),
        "warning",
        "webhooks",
        "looks at namespaces by team",
    ),
    "all pods": (clusters.mutating(matchConditions=None), "problem", "webhooks", "no pod at all"),
    "some resources": (
        clusters.mutating(matchConditions=conditions("'nvidia.com/gpu' in x")),
        "problem",
        "webhooks",
        "do not name nvidia.com/gpumem",
    ),
    "no authority": (
        clusters.mutating(clientConfig={"service": service("/mutate")["service"]}),
        "problem",
        "webhooks",
        "caBundle is empty",
    ),
    "another way": (
        clusters.mutating(clientConfig=service("/webhook")),
        "warning",
        "webhooks",
        "leads to hami-system/hami-admission/webhook",
    ),
    "a slow one of others": (
        {
            "validating": Seen([
                clusters.configuration("validating.yaml"),
                clusters.other("slow", "slow.example", 30),
            ])
        },
        "warning",
        "webhooks",
        "set holdSeconds to 36",
    ),
}

REACH: dict[str, Case] = {
    "ended": (clusters.certificate(ends=-1), "problem", "certificate", "ended on 2026-04-30"),
    "not begun": (clusters.certificate(begins=1), "problem", "certificate", "begins on"),
    "ends soon": (clusters.certificate(ends=20), "warning", "certificate", "only good until"),
    "another name": (clusters.certificate(name="x"), "problem", "certificate", "is not for hami"),
    "not trusted": ({"trusted": frozenset()}, "problem", "certificate", "its caBundle is not"),
    "not to be read": ({"certificate": CLOSED}, "unknown", "certificate", "may not look"),
    "of others": ({"certificate": NO_SUCH}, "unknown", "certificate", "comes from elsewhere"),
    "no answer": (
        clusters.refused(HOOK + "connection refused", 500),
        "problem",
        "trial",
        "refused",
    ),
    "what to do then": (clusters.refused(HOOK + "timeout", 500), "problem", "trial", "endpointsl"),
    "no trust": (clusters.refused(HOOK + "x509: unknown", 500), "problem", "trial", "caBundle or"),
    "another webhook is away": (
        clusters.refused('failed calling webhook "x.example": timeout', 500),
        "problem",
        "trial",
        "look after the webhook x.example",
    ),
    "passed over": (clusters.taken("default-scheduler", "x"), "problem", "trial", "as it was"),
    "by the scheduler's name alone": (
        clusters.taken("hami-scheduler", "metadata.name"),
        "problem",
        "trial",
        "as it was",
    ),
    "held by the policy": (
        clusters.refused("ValidatingAdmissionPolicy 'hami-admission' with binding denied request"),
        "problem",
        "trial",
        "refused by the policy",
    ),
    "over a quota": (clusters.refused("exceeded quota: q"), "ok", "trial", "refused by a quota"),
    "refused by us": (
        clusters.refused('admission webhook "validate.hami.io" denied the request: no'),
        "problem",
        "trial",
        "the message says it",
    ),
    "refused by another": (
        clusters.refused('admission webhook "x.example" denied the request: no'),
        "unknown",
        "trial",
        "--trial-namespace",
    ),
    "refused by something": (clusters.refused("no"), "unknown", "trial", "refused by others"),
    "no right": (
        clusters.refused('pods is forbidden: User "u" cannot create resource "pods"'),
        "unknown",
        "trial",
        "cannot create",
    ),
    "no dry run with us": (
        clusters.refused('admission webhook "mutate.hami.io" does not support dry run', 400),
        "problem",
        "trial",
        "dry run",
    ),
    "no dry run with others": (
        clusters.refused('admission webhook "x.example" does not support dry run', 400),
        "unknown",
        "trial",
        "x.example takes no dry run",
    ),
    "not tried": ({"trial": CLOSED}, "unknown", "trial", "may not look"),
}

DOUBTED = {"typeChecking": {"expressionWarnings": [{"warning": "undeclared  x"}]}}

POLICIES: dict[str, Case] = {
    "no such API": ({"policies": NO_SUCH}, "warning", "policies", "has none of these"),
    "nobody may look": ({"bindings": CLOSED}, "unknown", "policies", "may not look"),
    "one is gone": (
        {"policies": Seen(clusters.policies()[1:])},
        "problem",
        "policies",
        "not there: accelerator pods",
    ),
    "not bound": (
        {"bindings": Seen(clusters.bindings()[:-1])},
        "problem",
        "policies",
        "whoever may write nodes",
    ),
    "bound to warn": (
        {
            "bindings": Seen([
                msgspec.structs.replace(
                    each,
                    spec=msgspec.structs.replace(each.spec, validation_actions=["Warn"]),
                )
                for each in clusters.bindings()
            ])
        },
        "problem",
        "policies",
        "no binding makes it deny",
    ),
    "fails open": (
        {
            "policies": Seen([
                msgspec.structs.replace(
                    each, spec=msgspec.structs.replace(each.spec, failure_policy="Ignore")
                )
                for each in clusters.policies()
            ])
        },
        "problem",
        "policies",
        "failurePolicy Ignore",
    ),
    "doubted": (
        {
            "policies": Seen([
                clusters.wire(objects.Policy, {"metadata": {"name": each.name}, "status": DOUBTED})
                for each in clusters.policies()
            ])
        },
        "warning",
        "policies",
        "undeclared x",
    ),
}


def deployed(ready: int, replicas: int) -> dict[str, Any]:
    """Our Deployment."""
    name = "hami-system/hami-admission"
    return {"deployments": Seen([clusters.workload(name, ready=ready, replicas=replicas)])}


MANAGED = [{"managedResources": [{"name": "nvidia.com/gpu", "ignoredByScheduler": True}]}]

REPLICAS: dict[str, Case] = {
    "none is ready": (deployed(0, 2), "problem", "replicas", "0 of 2"),
    "some are": (deployed(1, 2), "warning", "replicas", "1 of 2"),
    "one only": (deployed(1, 1), "warning", "replicas", "no other while it restarts"),
    "no Deployment": ({"deployments": Seen([])}, "warning", "replicas", "runs otherwise"),
    "nobody may look": ({"deployments": CLOSED}, "unknown", "replicas", "may not look"),
    "no Lease": (clusters.leases(ours=NO_SUCH), "problem", "leases", "not there: nobody gives"),
    "no Lease of kube-scheduler": (
        clusters.leases(theirs=NO_SUCH),
        "problem",
        "leases",
        "not there: no pod is placed",
    ),
    "no holder": (clusters.leases(ours=clusters.lease("")), "problem", "leases", "nobody holds"),
    "a dead holder": (
        clusters.leases(theirs=clusters.lease(age=60)),
        "problem",
        "leases",
        "me has not renewed it since",
    ),
    "another clock": (
        clusters.leases(theirs=clusters.lease(age=60)) | {"renewed": frozenset({"hami-scheduler"})},
        "warning",
        "leases",
        "whose clock",
    ),
    "a Lease of the future": (
        clusters.leases(theirs=clusters.lease(age=-60)),
        "problem",
        "leases",
        "me has not renewed",
    ),
    "Leases closed": (clusters.leases(ours=CLOSED), "unknown", "leases", "may not look"),
    "no extender": (clusters.scheduler(extenders=[]), "problem", "scheduler", "no extender"),
    "an extender for some": (
        clusters.scheduler(extenders=MANAGED),
        "problem",
        "scheduler",
        "does not manage nvidia.com/gpumem",
    ),
    "a sample of nodes": (
        clusters.scheduler(percentageOfNodesToScore=0),
        "warning",
        "scheduler",
        "a sample only",
    ),
    "another profile": (
        clusters.scheduler(profiles=[{"schedulerName": "x"}]),
        "unknown",
        "scheduler",
        "with profile hami-scheduler",
    ),
    "ConfigMaps closed": ({"schedulers": CLOSED}, "unknown", "scheduler", "may not look"),
}

NODES: dict[str, Case] = {
    "nobody may look": ({"nodes": CLOSED}, "unknown", "nodes", "may not look"),
    "none": (clusters.nodes(), "warning", "nodes", "none offers cards"),
    "plain ones": (
        clusters.nodes(clusters.node(register="-", offered=None)),
        "warning",
        "nodes",
        "none offers cards",
    ),
    "labelled, and nothing there": (
        clusters.nodes(clusters.node(register="-", offered=None, labels=LABELLED)),
        "problem",
        "nodes",
        "has the label gpu=on, and offers nothing",
    ),
    "whole cards of another plugin": (
        clusters.nodes(clusters.node(register="-", offered="8")),
        "problem",
        "nodes",
        "offers 8 nvidia.com/gpu, and nobody registered",
    ),
    "a damaged register": (
        clusters.nodes(clusters.node(register="[{")),
        "problem",
        "nodes",
        "register annotation: ",
    ),
    "no card registered": (
        clusters.nodes(clusters.node(register="[]")),
        "warning",
        "nodes",
        "registers no card",
    ),
    "an empty register": (
        clusters.nodes(clusters.node(register=" ")),
        "warning",
        "nodes",
        "registers no card",
    ),
    "the agent is gone": (
        clusters.nodes(clusters.node(offered="0")),
        "problem",
        "nodes",
        "its agent is gone",
    ),
    "unknown to the kubelet": (
        clusters.nodes(clusters.node(offered=None)),
        "warning",
        "nodes",
        "its kubelet knows no nvidia.com/gpu",
    ),
    "all sick": (
        clusters.nodes(clusters.node(healthy=False, offered="0")),
        "warning",
        "nodes",
        "all its cards are sick",
    ),
    "two with one card": (
        clusters.nodes(
            clusters.node("a"),
            clusters.node("b", register=build.facts("a", 1).annotations[clusters.REGISTER]),
        ),
        "problem",
        "nodes",
        "register the same card, GPU-a-0",
    ),
    "a class that is not there": (
        {"settings": Settings(nvidia=NvidiaOptions(runtime_class="gpu"))},
        "problem",
        "runtime",
        "runtimeClassName is gpu",
    ),
    "a class that is": (
        {"settings": Settings(nvidia=NvidiaOptions(runtime_class="nvidia"))},
        "ok",
        "runtime",
        "nvidia is there, and is put into pods",
    ),
    "no class": (clusters.runtime_classes(("a", "runc")), "warning", "runtime", "default runtime"),
    "classes closed": ({"runtime_classes": CLOSED}, "unknown", "runtime", "may not look"),
    "the runtime's way": ({}, "unknown", "runtime", "containerd://1.7.0: whether it goes by"),
}

PODS: dict[str, Case] = {
    "nobody may look": ({"placed": CLOSED}, "unknown", "placed pods", "may not look"),
    "one that is read": (
        clusters.placed(clusters.having("GPU-n-0,NVIDIA,1,0:;")),
        "ok",
        "placed pods",
        "1 have cards, as they asked",
    ),
    "sizes that cannot be read": (
        clusters.placed(clusters.having("GPU-n-0,NVIDIA,x,0:;")),
        "problem",
        "placed pods",
        "pod team/p has cannot be read: nobody else is given GPU-n-0;",
    ),
    "a card that cannot be read": (
        clusters.placed(clusters.having("GPU-n")),
        "problem",
        "placed pods",
        "no such card of node n is given to new pods;",
    ),
    "what to do then": (
        {**clusters.placed(clusters.having("")), "nodes": CLOSED},
        "problem",
        "placed pods",
        "kubectl -n team delete pod p, or put its annotations right",
    ),
    "cards that are not asked for": (
        clusters.placed(clusters.having("GPU-n-0,NVIDIA,1,0:;", build.container())),
        "problem",
        "placed pods",
        "1 have cards by annotation that they do not ask: team/p",
    ),
}

QUOTAS: dict[str, Case] = {
    "a mark that was copied": (
        clusters.marked(counted="10", version="9"),
        "warning",
        "quotas",
        "hami.io/quota-counted came with a copy",
    ),
    "a mark of ours": (clusters.marked("9", "10"), "ok", "quotas", "1 limit accelerators"),
    "nobody may look": ({"quotas": CLOSED}, "unknown", "quotas", "may not look"),
    "as requests": (
        clusters.quota(requests_nvidia_com__gpumem=5),
        "warning",
        "quotas",
        "write limits.nvidia.com/gpumem",
    ),
    "without a prefix": (
        clusters.quota(nvidia_com__gpu=5),
        "warning",
        "quotas",
        "nvidia.com/gpu: nobody counts it",
    ),
    "a name that is none": (
        clusters.quota(limits_nvidia_com__memory=5),
        "warning",
        "quotas",
        "limits.nvidia.com/memory: nobody counts it",
    ),
    "a percentage": (
        {
            "quotas": Seen([
                clusters.wire(
                    objects.Quota,
                    {"spec": {"hard": {"limits.nvidia.com/gpumem-percentage": "50"}}},
                )
            ])
        },
        "warning",
        "quotas",
        "limits.nvidia.com/gpumem-percentage: nobody",
    ),
    "with native keys": (
        clusters.quota(limits_nvidia_com__gpu=5, pods=4, requests_cpu=1),
        "warning",
        "quotas",
        "holds pods, requests.cpu beside accelerators",
    ),
    "in bytes": (
        clusters.quota(limits_nvidia_com__gpumem="8Gi"),
        "warning",
        "quotas",
        "for 8Gi bytes write 8192",
    ),
    "passed already": (
        clusters.quota({"limits.nvidia.com/gpu": "9"}, limits_nvidia_com__gpu=8),
        "warning",
        "quotas",
        "9 of 8 are used",
    ),
    "native alone": (clusters.quota(pods=4), "ok", "quotas", "0 limit accelerators"),
    "a number that is none": (
        clusters.quota(limits_nvidia_com__gpu="x"),
        "ok",
        "quotas",
        "1 limit accelerators",
    ),
}

RIVAL = clusters.workload("ops/plugin", "example/k8s-device-plugin:1", nodeSelector={"a": "b"})
ASKS = {"containers": [{"resources": {"limits": {"nvidia.com/gpumem": "2000"}}}]}
UPSTREAM = clusters.workload("kube-system/hami-scheduler", "example/projecthami/hami:v2")

OTHERS: dict[str, Case] = {
    "DaemonSets closed": ({"daemons": CLOSED}, "unknown", "device plugins", "may not look"),
    "a plugin elsewhere": ({"daemons": Seen([RIVAL])}, "warning", "device plugins", "whole cards"),
    "a plugin on our nodes": (
        {"daemons": Seen([RIVAL]), **clusters.nodes(clusters.node(labels={"a": "b"}))},
        "problem",
        "device plugins",
        "too, on n: the kubelet",
    ),
    "HAMi's webhook": (
        {
            "mutating": Seen([
                clusters.configuration("mutating.yaml"),
                clusters.other("hami-webhook", "vgpu.hami.io"),
            ])
        },
        "problem",
        "HAMi",
        "kubectl delete mutatingwebhookconfiguration hami-webhook",
    ),
    "HAMi's scheduler": (
        {"deployments": Seen([OWN, UPSTREAM])},
        "problem",
        "HAMi",
        "kubectl -n kube-system scale deployment hami-scheduler",
    ),
    "half closed": ({"deployments": CLOSED}, "unknown", "HAMi", "may not look"),
    "a pod that waits": (
        {"pods": Seen([clusters.pod("p", 11), clusters.pod("young", 9)])},
        "warning",
        "waiting pods",
        "1 without a node for over 10 minutes: team/p",
    ),
    "a pod that does not start": (
        {"pods": Seen([clusters.pod("p", 11, nodeName="n")])},
        "warning",
        "waiting pods",
        "kubectl -n team describe pod p",
    ),
    "a pod of another scheduler": (
        {"pods": Seen([clusters.pod("p", 11, schedulerName="x")])},
        "ok",
        "waiting pods",
        "none of ours",
    ),
    "pods closed": ({"pods": CLOSED}, "unknown", "waiting pods", "may not look"),
    "a pod from before us": (
        {"pods": Seen([clusters.pod("p", 1, schedulerName="default-scheduler", **ASKS)])},
        "problem",
        "pods past us",
        "1 that ask for our resources wait for another scheduler: team/p",
    ),
    "a pod of another scheduler's own": (
        {"pods": Seen([clusters.pod("p", 1, schedulerName="volcano", **ASKS)])},
        "ok",
        "pods past us",
        "none that waits",
    ),
    "a plain pod of the default scheduler": (
        {"pods": Seen([clusters.pod("p", 1, schedulerName="default-scheduler")])},
        "ok",
        "pods past us",
        "none that waits",
    ),
}

BY_ADDRESS = clusters.reviews("api-server")
TUNNEL = clusters.workload("kube-system/konnectivity-agent")
SENDERS: dict[str, Case] = {
    "anybody": ({}, "ok", "senders", "whoever reaches the port"),
    "the API server": (BY_ADDRESS, "ok", "senders", "at 10.0.0.1; reviews of the trial came"),
    "not to be looked at": ({"reviews": CLOSED}, "unknown", "senders", "may not look"),
    "by --config alone": (
        {"reviews": NO_SUCH, "settings": Settings(review_senders=("10.0.0.0/8",))},
        "ok", "senders", "10.0.0.0/8",
    ),
    "addresses that nobody may look at": (
        {**BY_ADDRESS, "api_servers": CLOSED}, "unknown", "senders", "may not look"
    ),
    "no slice": ({**BY_ADDRESS, "api_servers": NO_SUCH}, "problem", "senders", "no address"),
    "an empty slice": ({**BY_ADDRESS, **clusters.api_servers()}, "problem", "senders", "ranges"),
    "a tunnel, and nothing comes through": (
        {**BY_ADDRESS, "deployments": Seen([OWN, TUNNEL]), **clusters.refused("no")},
        "problem", "senders", "may come from kube-system/konnectivity-agent",
    ),
    "a tunnel by its image": (
        {**BY_ADDRESS, "daemons": Seen([clusters.workload("a/b", "gke.gcr.io/proxy-agent:v1")])},
        "warning", "senders", "may come from a/b",
    ),
    "a tunnel that does not matter": (
        {"deployments": Seen([OWN, TUNNEL])}, "ok", "senders", "whoever reaches the port"
    ),
    "nothing came through": (
        {**BY_ADDRESS, **clusters.refused("exceeded")}, "unknown", "senders", "the trial says"
    ),
    "a certificate": (
        clusters.reviews(authority="/ca.crt"), "ok", "senders", "certificate is asked for"
    ),
    "an address that is not named": (
        clusters.refused(f"{HOOK}reviews are taken from whom reviewSenders names", 500),
        "problem", "trial", "set reviewSenders to the ranges",
    ),
    "no certificate": (
        clusters.refused(f"{HOOK}who shows a client certificate of reviewAuthority", 500),
        "problem", "trial", "AdmissionConfiguration",
    ),
}  # fmt: skip

GROUPS = {
    "server": SERVER,
    "webhooks": WEBHOOKS,
    "reach": REACH,
    "policies": POLICIES,
    "replicas": REPLICAS,
    "nodes": NODES,
    "pods": PODS,
    "quotas": QUOTAS,
    "others": OTHERS,
    "senders": SENDERS,
}
CASES = {f"{group}: {case}": it for group, table in GROUPS.items() for case, it in table.items()}


def levels(findings: tuple[Finding, ...], level: str) -> list[Finding]:
    """Those of one level."""
    return [each for each in findings if each.level == level]


def test_of_a_healthy_cluster_nothing_but_the_runtime_is_unknown() -> None:
    found = diagnose(healthy())
    assert levels(found, "problem") + levels(found, "warning") == []
    assert [each.check for each in levels(found, "unknown")] == ["runtime"]
    assert sound(found)


@pytest.mark.parametrize("sentence", CASES)
def test_one_thing_is_not_well(sentence: str) -> None:
    changed, level, check, words = CASES[sentence]
    found = diagnose(healthy(**changed))
    said = [each for each in found if each.level == level and each.check == check]
    assert any(words in f"{each.found} {each.do}" for each in said), found
    assert sound(found) == (level != "problem")


@pytest.mark.parametrize("sentence", CASES)
def test_what_is_wrong_comes_with_what_to_do(sentence: str) -> None:
    found = diagnose(healthy(**CASES[sentence][0]))
    bad = [each for each in found if each.level in {"problem", "warning"}]
    assert [each for each in bad if not each.do] == []
    assert all(each.looked_at and each.found for each in found)


def test_who_sees_nothing_is_told_nothing_good() -> None:
    looks = healthy_looks()
    names = [each.name for each in dataclasses.fields(Observed) if each.name in looks]
    found = diagnose(healthy(**dict.fromkeys(names, CLOSED), leases={}))
    assert {each.level for each in found} == {"unknown"}
    assert sound(found)


def healthy_looks() -> set[str]:
    """The fields that are one look each."""
    whole = healthy()
    return {
        each.name
        for each in dataclasses.fields(whole)
        if isinstance(getattr(whole, each.name), Seen)
    }


def test_a_sick_card_among_well_ones_is_named() -> None:
    text = json.loads(build.facts("n", 2).annotations[clusters.REGISTER])
    text[1]["health"] = False
    found = diagnose(healthy(**clusters.nodes(clusters.node(register=json.dumps(text)))))
    (said,) = [each for each in found if each.check == "nodes"]
    assert (said.level, said.found) == ("warning", "1 of 2 cards are sick: GPU-n-1")


def shared_with_volcano(register: str) -> list[Finding]:
    """What is said of a node whose first card two plugins register, the other one like that."""
    node = clusters.node()
    notes = {**(node.metadata.annotations or {}), "volcano.sh/node-vgpu-register": register}
    metadata = msgspec.structs.replace(node.metadata, annotations=notes)
    offered = {**(node.status.allocatable or {}), "volcano.sh/vgpu-number": "20"}
    status = msgspec.structs.replace(node.status, allocatable=offered)
    both = msgspec.structs.replace(node, metadata=metadata, status=status)
    return [each for each in diagnose(healthy(**clusters.nodes(both))) if each.check == "nodes"]


def test_a_card_that_one_node_offers_under_two_names_is_one_card() -> None:
    (found,) = shared_with_volcano("GPU-n-0,10,81920,NVIDIA-A100,true,hami-core:")
    assert (found.level, found.found) == ("ok", "1 offer cards, and are read")


def test_a_register_is_read_as_its_family_writes_it() -> None:
    (found,) = shared_with_volcano("GPU-n-0,10,81920,NVIDIA-A100,true:")
    assert (found.level, found.found) == (
        "problem",
        "register annotation: a card has not the 6 fields of Volcano's plugin",
    )


def test_as_data() -> None:
    findings = (Finding("problem", "c", "l", "f", "d"), Finding("ok", "c", "l", "f"))
    assert report.of(findings) == {
        "levels": {"problem": 1, "warning": 0, "unknown": 0, "ok": 1},
        "findings": [
            {"level": "problem", "check": "c", "lookedAt": "l", "found": "f", "do": "d"},
            {"level": "ok", "check": "c", "lookedAt": "l", "found": "f", "do": ""},
        ],
    }


@pytest.mark.parametrize("width", [60, 100])
def test_as_text_no_line_is_wider_than_the_terminal(width: int) -> None:
    text = StringIO()
    console = Console(file=text, width=width)
    for each in report.shown(diagnose(healthy(**clusters.refused(HOOK + "timeout", 500)))):
        console.print(each)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.startswith("problem ") for line in lines)
    assert lines[-1].startswith("1 problem, 0 warning, 1 unknown")
