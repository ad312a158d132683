"""What the binder and a node's agent say to each other about MIG instances, on the Node.

The binder asks in ``hami.io/mig-wanted.<uid of the pod>``:
``{"at": number of the attempt, "places": [{gpuUUID, profile, placement: {start, size}}]}``.
The agent answers in ``hami.io/mig-instances``: ``{"instances": [the same with migUUID,
gpuInstanceID, computeInstanceID], "ready": {uid: at}, "failed": {uid: {"at",
"reason"}}}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from hami_admission.model.instance import Instance, Place
from hami_admission.wire import keys
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

MAX_UNITS = 64


class WirePlacement(msgspec.Struct):
    """Memory slices of a card."""

    start: int
    size: int

    def of(self, card: str, profile: str) -> Place:
        """Raises Malformed where no card has such a place."""
        if self.start < 0 or self.size < 1 or self.start + self.size > MAX_UNITS or not profile:
            raise Malformed(f"no such place: {self.start}, {self.size}")
        return Place(card, profile, self.start, self.size)


class _Place(msgspec.Struct, kw_only=True):
    gpu_uuid: str = msgspec.field(name="gpuUUID")
    profile: str
    placement: WirePlacement


class _Instance(_Place, kw_only=True):
    mig_uuid: str = msgspec.field(name="migUUID")
    gpu_instance: int = msgspec.field(name="gpuInstanceID")
    compute_instance: int = msgspec.field(name="computeInstanceID")


class Wanted(msgspec.Struct, frozen=True):
    """Where a pod that is about to be bound is to have instances; ``at`` tells attempts apart."""

    at: int
    places: tuple[Place, ...]


class Failure(msgspec.Struct, frozen=True):
    """Why the instances of an attempt were not made."""

    at: int
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """The instances of a node; by the uid of the pod the attempt whose instances are all there, and
    what failed."""

    instances: tuple[Instance, ...] = ()
    ready: dict[str, int] = {}
    failed: dict[str, Failure] = {}


class _Wanted(msgspec.Struct):
    at: int
    places: list[_Place]


class _Answer(msgspec.Struct):
    instances: list[_Instance] = []
    ready: dict[str, int] = {}
    failed: dict[str, Failure] = {}


_WANTED = msgspec.json.Decoder(_Wanted)
_ANSWER = msgspec.json.Decoder(_Answer)


def wanted_key(uid: str) -> str:
    """The annotation of the Node in which the pod's instances are asked for."""
    return f"{keys.MIG_WANTED}{uid}"


def encode_wanted(wanted: Wanted) -> str:
    """As the annotation's text."""
    places = [
        _Place(
            gpu_uuid=each.card,
            profile=each.profile,
            placement=WirePlacement(each.start, each.size),
        )
        for each in wanted.places
    ]
    return msgspec.json.encode(_Wanted(wanted.at, places)).decode()


def all_wanted(annotations: Mapping[str, str]) -> dict[str, Wanted | None]:
    """What is asked for on a node, by the uid of the pod; None is what cannot be read."""
    return {
        key.removeprefix(keys.MIG_WANTED): _wanted(text)
        for key, text in annotations.items()
        if key.startswith(keys.MIG_WANTED)
    }


def _wanted(text: str) -> Wanted | None:
    try:
        found = _decoded(_WANTED, text)
        return Wanted(found.at, tuple(map(_place, found.places)))
    except Malformed:
        return None


def encode_answer(answer: Answer) -> str:
    """As the annotation's text; the same for any order."""
    found = [_encoded(each) for each in sorted(answer.instances, key=lambda each: each.place)]
    made = _Answer(found, answer.ready, answer.failed)
    return msgspec.json.encode(made, order="deterministic").decode()


def decode_answer(text: str) -> Answer:
    """Raises Malformed; an empty text is the answer of nobody."""
    if not text:
        return Answer()
    found = _decoded(_ANSWER, text)
    made = [
        Instance(_place(each), each.mig_uuid, each.gpu_instance, each.compute_instance)
        for each in found.instances
    ]
    return Answer(tuple(made), found.ready, found.failed)


def _encoded(each: Instance) -> _Instance:
    return _Instance(
        gpu_uuid=each.place.card,
        profile=each.place.profile,
        placement=WirePlacement(each.place.start, each.place.size),
        mig_uuid=each.uuid,
        gpu_instance=each.gpu_instance,
        compute_instance=each.compute_instance,
    )


def _place(each: _Place) -> Place:
    return each.placement.of(each.gpu_uuid, each.profile)


def by_place(found: Iterable[Instance]) -> dict[Place, Instance]:
    """Those that a container can use."""
    return {each.place: each for each in found if each.uuid}


def _decoded(decoder: msgspec.json.Decoder[T], text: str) -> T:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Malformed(f"MIG instances: {error}") from error
