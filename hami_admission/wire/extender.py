"""Arguments and results of a scheduler extender (k8s.io/kube-scheduler/extender/v1).

The Go types have no JSON tags: kube-scheduler writes capitalised names, and reads any case. We
write capitalised names too; HostPriority is a list of ``Host`` and ``Score``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from hami_admission.model.pod import Pod
from hami_admission.wire import pods
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BYTES = 8 * 1024 * 1024
"""One pod and the names of all nodes: 5,000 names of the longest kind are 1.3 MB."""

ALL_NAMED = 100
"""Up to so many nodes each of them stands in the list of priorities."""


class _Args(msgspec.Struct, frozen=True, rename="pascal"):
    pod: pods.WirePod | None = None
    node_names: list[str] | None = None
    nodes: msgspec.Raw = msgspec.Raw()


class _Priority(msgspec.Struct, frozen=True, rename="pascal", gc=False):
    host: str
    score: int


class Candidates(msgspec.Struct, frozen=True):
    """A pod and the nodes it may go to."""

    pod: Pod
    nodes: list[str]


class Binding(msgspec.Struct, frozen=True, rename="pascal"):
    """Which pod is to be bound to which node."""

    pod_name: str = ""
    pod_namespace: str = ""
    pod_uid: str = msgspec.field(default="", name="PodUID")
    node: str = ""


_T = TypeVar("_T")
_ARGS = msgspec.json.Decoder(_Args)
_BINDING = msgspec.json.Decoder(Binding)


def decode_candidates(body: bytes) -> Candidates:
    """ExtenderArgs of filter and prioritize; raises Malformed with what is wrong."""
    args = _decode(_ARGS, body)
    if args.pod is None:
        raise Malformed("extender args missing pod")
    if args.node_names is None:
        if bytes(args.nodes) not in {b"", b"null"}:
            raise Malformed("extender args: set nodeCacheCapable: true, so that names are sent")
        raise Malformed("extender args: NodeNames is missing")
    return Candidates(pods.build(args.pod), args.node_names)


def decode_binding(body: bytes) -> Binding:
    """ExtenderBindingArgs; raises Malformed with what is wrong."""
    binding = _decode(_BINDING, body)
    if not (binding.pod_name and binding.pod_namespace and binding.pod_uid and binding.node):
        raise Malformed("binding args: PodName, PodNamespace, PodUID and Node are all needed")
    return binding


def encode_filter(fits: Sequence[str], failed: Mapping[str, str]) -> bytes:
    """ExtenderFilterResult: the nodes that fit, and for the others why not.

    They stand in both maps. kube-scheduler takes the second, which keeps it from looking there for
    pods to evict: it cannot see what they hold of our cards, and so would never find one, a fifth
    of its time. Others who read our answers know the first.
    """
    return msgspec.json.encode({
        "NodeNames": fits,
        "FailedNodes": failed,
        "FailedAndUnresolvableNodes": failed,
        "Error": "",
    })


def encode_priorities(scores: Mapping[str, int]) -> bytes:
    """HostPriorityList.

    A node that is not in it counts 0. Where there are many, most have 0 and are left out: to read
    a list of 1,000 takes kube-scheduler half a millisecond of each pod.
    """
    few = len(scores) <= ALL_NAMED
    hosts = [_Priority(name, score) for name, score in scores.items() if score or few]
    return msgspec.json.encode(hosts)


def encode_error(message: str) -> bytes:
    """The result of filter or bind that failed (empty: a bind that succeeded)."""
    return msgspec.json.encode({"Error": message})


def _decode(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Malformed(f"not extender arguments: {error}") from error
