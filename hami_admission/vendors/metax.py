"""MetaX: whole cards, and shared ones with service classes (facts/devices.md 7).

What a pod wants of shared cards beside sizes is its trait, ``app class/way``, where the way is how
the card is to divide its time, or that links decide. What a card does is known by the traits of
the containers on it (upstream keeps a cache for that, because nodes report it late).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

import msgspec

from hami_admission.model.device import Device
from hami_admission.model.verdict import Reason
from hami_admission.options import CardSize, Family
from hami_admission.topology import groups
from hami_admission.vendors import charges, checks, holdings, parse, refine
from hami_admission.vendors.inventory import noted
from hami_admission.vendors.plain import Cards, plain
from hami_admission.vendors.vendor import About
from hami_admission.wire import details, documents, keys, registers
from hami_admission.wire import wishes as wire
from hami_admission.wire.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hami_admission.model.card import Card
    from hami_admission.model.grant import Grant, PodGrants
    from hami_admission.model.request import Request
    from hami_admission.model.wishes import Selection, Wishes
    from hami_admission.options import MetaxOptions
    from hami_admission.vendors.vendor import Able, Assigned, Reading, Vendor

ONLINE, OFFLINE = "online", "offline"
QOS = ("best-effort", "fixed-share", "burst-share")
LINKED = "linked"

CLASSES = {keys.METAX_APP_CLASS: (ONLINE, OFFLINE), keys.METAX_QOS: QOS}

BESIDE = {ONLINE: {ONLINE, OFFLINE}, OFFLINE: {OFFLINE}, "": {""}}
"""Which app classes may be on a card already where one of each comes; "" is none."""

OUTWEIGHS = 50
"""What upstream's points are divided by: two of them still outweigh how full a node is."""


def metax(options: MetaxOptions) -> tuple[Vendor, Vendor]:
    """Whole and shared cards, under the resource names that the options give."""
    return _whole(options), _shared(options)


def _whole(options: MetaxOptions) -> Vendor:
    """Each container has cards of its own.

    Upstream wants all containers of a pod to have the same one, which no second container can get
    (facts/devices.md 19, M1).
    """
    common = plain(
        Family(
            word="Metax-GPU",
            resource_count_name=options.resource_count_name,
            default_cores=100,
            charge="whole",
            card=CardSize(slots=1, memory=65536, cores=100),
            to_allocate="hami.io/metax-gpu-devices-to-allocate",
            allocated="hami.io/metax-gpu-devices-allocated",
            lock="none",
        ),
        cards=Cards(ids="metax"),
    )

    about = About("MetaX", "whole cards", "MetaX's", "as tables of the node say")
    tables = keys.METAX_LOSSES, keys.METAX_SCORES
    inventory = partial(noted, common.inventory, tables)
    return replace(common, about=about, inventory=inventory, score=_by_table)


def _by_table(cards: Sequence[Card], grants: PodGrants, wishes: Wishes) -> float:
    """0 to 2: for binpack by what so many cards tear apart, for spread by how they are linked.

    Upstream's numbers by 1,000, turned so that more is better; 0 where the node does not say.
    """
    number = str(len({grant.uuid for slot in grants for grant in slot}))
    spread = wishes.node_policy == "spread"
    table = _table(cards[0].device.fact(keys.METAX_SCORES if spread else keys.METAX_LOSSES))
    if number not in table:
        return 0.0
    points = table[number] if spread else 2000 - table[number]
    return min(max(points, 0), 2000) / 1000


@lru_cache(maxsize=1024)
def _table(text: str) -> Mapping[str, float]:
    """``{"1":0,"2":110}``; one that cannot be read says nothing."""
    return documents.decode_or({}, text, dict[str, float])


def _shared(options: MetaxOptions) -> Vendor:
    family = Family(
        word="Metax-SGPU",
        resource_count_name=options.resource_v_count_name,
        resource_memory_name=options.resource_v_memory_name,
        resource_core_name=options.resource_v_core_name,
        memory_factor=1024,
        register=keys.METAX_REGISTER,
        to_allocate="hami.io/metax-sgpu-devices-to-allocate",
        allocated="hami.io/metax-sgpu-devices-allocated",
        use_uuid=keys.METAX_USE_UUID,
        no_use_uuid=keys.METAX_NOUSE_UUID,
    )
    common = plain(family, parse.Defaults(cores=100, bytes_too=True), Cards(decode=_decode))
    links = "true" if options.sgpu_topology_aware else "false"

    def recall(notes: Mapping[str, str]) -> PodGrants:
        found = common.recall(notes)
        if details.annotation(family.word) in notes:
            return found
        # HAMi keeps no traits: the pod's annotations say what they are.
        own = {key: notes[key] for key in CLASSES if key in notes}
        return holdings.each(
            found, lambda each: msgspec.structs.replace(each, trait=_trait(own, each.cores))
        )

    return replace(
        common,
        about=About(
            "MetaX",
            "memory and cores, in one of three ways by card; `online` before `offline` pods",
            "MetaX's",
            "whole cards of one link zone; `online` pods where they meet the fewest",
        ),
        parse=refine.then(common.parse, common.names, partial(_classed, links)),
        reads=(keys.METAX_QOS, keys.METAX_APP_CLASS, keys.METAX_LINKED),
        checks=(checks.health, checks.cordon, _app_class, _qos, *checks.COMMON[2:]),
        checks_of_any=(checks.health, checks.cordon, _app_class, _qos, checks.slots),
        charge=_charge,
        choose=_choose,
        score=_by_company,
        annotate=lambda assigned: common.annotate(assigned) | _theirs(assigned),
        recall=recall,
    )


class _Wire(msgspec.Struct, rename="camel"):
    """One card, as MetaX's plugin lists it."""

    uuid: str
    model: str = ""
    total_dev_count: int = 0
    total_compute: int = 0
    total_v_ram: int = 0
    numa: int = 0
    healthy: bool = False
    qos_policy: str = ""
    link_zone: int = 0


@lru_cache(maxsize=8192)
def _decode(text: str) -> tuple[Device, ...]:
    """The cards, numbered as they are listed; raises Malformed."""
    found = documents.decode(text, list[_Wire], "register annotation")
    return registers.checked([
        Device(
            uuid=each.uuid,
            index=index,
            type="Metax-SGPU",
            slots=each.total_dev_count,
            memory_mib=each.total_v_ram,
            cores=each.total_compute,
            numa=each.numa,
            mode="",
            healthy=each.healthy,
            facts=(
                ("LinkZone", str(each.link_zone) if each.link_zone > 0 else ""),
                ("Model", each.model),
                ("QosPolicy", each.qos_policy),
            ),
        )
        for index, each in enumerate(found)
    ])


def _classed(links: str, asked: refine.Asked) -> Reading:
    """With its classes; an online pod has no share of cores and no way of sharing.

    ``links`` is what holds where the pod does not say whether links decide.
    """
    notes = {keys.METAX_LINKED: links, **asked.annotations}
    found = [asked.wrong_note(name, advice) for name, advice in _mistakes(notes).items()]
    if notes.get(keys.METAX_APP_CLASS) and asked.request.count != 1:
        advice = f"must be 1 in a pod with {keys.METAX_APP_CLASS}"
        found.append(asked.wrong(asked.names.count, advice))
    if found:
        return refine.refused(*found)
    online = notes.get(keys.METAX_APP_CLASS) == ONLINE
    lacking = {} if online or notes.get(keys.METAX_QOS) else {keys.METAX_QOS: QOS[0]}
    cores = 0 if online else asked.request.cores
    classed = asked.reading.asking(cores=cores, trait=_trait({**notes, **lacking}, cores))
    return msgspec.structs.replace(classed, notes=lacking)


def _mistakes(notes: Mapping[str, str]) -> dict[str, str]:
    """Classes that there are not, and a flag that is none: what is right, by annotation."""
    online = notes.get(keys.METAX_APP_CLASS) == ONLINE
    wrong = {
        name: f"allowed: {', '.join(allowed)}"
        for name, allowed in CLASSES.items()
        if notes.get(name, "") not in ("", *allowed) and not (online and name == keys.METAX_QOS)
    }
    try:
        wire.flag(notes[keys.METAX_LINKED])
    except Malformed as error:
        wrong[keys.METAX_LINKED] = str(error)
    return wrong


def _trait(notes: Mapping[str, str], cores: int) -> str:
    """What these annotations mean for a container with so many cores.

    Who has all cores of a card shares them with nobody, in whatever way.
    """
    app, way = notes.get(keys.METAX_APP_CLASS, ""), notes.get(keys.METAX_QOS, "")
    if cores == 100:
        way = LINKED if wire.flag(notes.get(keys.METAX_LINKED, "false")) else ""
    return f"{app}/{way}" if way and app != ONLINE else app


def _app(trait: str) -> str:
    return trait.partition("/")[0]


def _way(trait: str) -> str:
    return trait.partition("/")[2]


def _apps(card: Card) -> Counter[str]:
    """How many containers of each app class are on the card."""
    found = Counter({"": card.slots})
    for trait, count in card.traits:
        found[""] -= count
        found[_app(trait)] += count
    return +found


def _app_class(card: Card, request: Request, selection: Selection) -> Reason | None:
    fits = _apps(card).keys() <= BESIDE[_app(request.trait)]
    return None if fits else Reason.CARD_APP_CLASS_MISMATCH


def _qos(card: Card, request: Request, selection: Selection) -> Reason | None:
    """A used card divides its time in one way; the node says in which if its containers do not."""
    own = _way(request.trait)
    if own not in QOS or not card.slots:
        return None
    ways = [way for trait, _ in card.traits if (way := _way(trait)) in QOS]
    there = ways[0] if ways else card.device.fact("QosPolicy")
    return None if there in ("", own) else Reason.CARD_QOS_MISMATCH


def _charge(card: Card, request: Request) -> Grant | Reason:
    """A share, of the memory alone for online pods: they use the cores before others."""
    if _app(request.trait) == ONLINE:
        card = msgspec.structs.replace(card, cores=0)
    grant = charges.fluid(card, request)
    if isinstance(grant, Reason):
        return grant
    return msgspec.structs.replace(grant, trait=request.trait)


def _choose(able: Sequence[Able], count: int, wishes: Wishes) -> Sequence[Able]:
    """Online pods where they meet the fewest; whole cards of one link zone; else as they come."""
    grant = able[0][1]
    app = _app(grant.trait)
    if app == ONLINE:
        return sorted(able, key=lambda each: _company(each[0]))[:count]
    if app or grant.cores != 100:
        return able[:count]
    zones = [_zone(card) for card, _ in able]
    return [able[n] for n in groups.smallest_that_holds(zones, count)]


def _company(card: Card) -> tuple[bool, int, int]:
    """Do offline pods alone use it, which would have to wait? How many online, how many offline?"""
    apps = _apps(card)
    return apps[OFFLINE] > 0 and not apps[ONLINE], apps[ONLINE], apps[OFFLINE]


def _by_company(cards: Sequence[Card], grants: PodGrants, wishes: Wishes) -> float:
    """Online pods: minus those that they meet. Whole cards, where links decide: what is together,
    minus what is torn apart. Upstream's points, divided.
    """
    given = {grant.uuid: grant for slot in grants for grant in slot}
    own = [card for card in cards if card.device.uuid in given]
    if any(_app(grant.trait) == ONLINE for grant in given.values()):
        met = [_company(card) for card in own]
        costs = [100 * off if waits else 20 * on + 2 * off for waits, on, off in met]
        return -sum(costs) / OUTWEIGHS
    if not any(_way(grant.trait) == LINKED for grant in given.values()):
        return 0.0
    whole = [card for card in own if given[card.device.uuid].cores == 100]
    rest = [card for card in cards if not card.slots and card not in whole]
    inside, torn = groups.kept(*([_zone(card) for card in each] for each in (whole, rest)))
    return 10 * (10 * inside - torn) / OUTWEIGHS


def _zone(card: Card) -> str:
    return card.device.fact("LinkZone")


def _theirs(assigned: Assigned) -> dict[str, str]:
    """What MetaX's plugin reads."""
    found = [
        [
            documents.sparse(uuid=each.uuid, compute=each.cores, vRam=each.memory_mib)
            for each in slot
        ]
        for slot in assigned.grants
    ]
    return {
        keys.METAX_ALLOCATED: msgspec.json.encode(found).decode(),
        keys.METAX_TIME: str(int(assigned.now * 1_000_000_000)),
    }
