"""Has a node make the MIG instances of a pod before the pod is bound there (design.md 5)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec

from hami_admission.kube import errors, paths
from hami_admission.kube.client import MERGE_PATCH
from hami_admission.wire import instances as wire
from hami_admission.wire import keys, nodes
from hami_admission.wire.errors import Malformed
from hami_admission.wire.instances import Wanted

if TYPE_CHECKING:
    from hami_admission.control.charging import Api
    from hami_admission.model.instance import Place
    from hami_admission.vendors.vendor import Made

WAIT_SECONDS = 5.0
"""For the agent: a card takes about a second for an instance. kube-scheduler waits 15 for all."""

LOOK_SECONDS = 0.1


class NotMade(Exception):
    """The node has not all instances; the message says why."""


async def made(api: Api, node: str, uid: str, places: tuple[Place, ...]) -> Made:
    """Ask the node's agent for instances at these places, and wait until they are there.

    Raises NotMade. What was asked for and not used the agent forgets by itself. Where no agent of
    ours has ever answered there is HAMi's plugin, which makes them when the pod starts.
    """
    wanted = Wanted(time.time_ns(), places)
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            if keys.MIG_INSTANCES not in await _annotations(api, node):
                return {}
            await _ask(api, node, uid, wanted)
            return await _answered(api, node, uid, wanted)
    except TimeoutError as error:
        asked = ", ".join(map(str, places))
        raise NotMade(
            f"no MIG instance ({asked}) within {WAIT_SECONDS:g} s: does hami-admission's agent run"
            f" on {node}, with operatingmode mig?"
        ) from error
    except (errors.ApiError, Malformed) as error:
        raise NotMade(f"MIG instances of {node}: {error}") from error


async def _ask(api: Api, node: str, uid: str, wanted: Wanted) -> None:
    notes = {wire.wanted_key(uid): wire.encode_wanted(wanted)}
    body = msgspec.json.encode({"metadata": {"annotations": notes}})
    await api.request("PATCH", paths.node(node), body, content_type=MERGE_PATCH)


async def _answered(api: Api, node: str, uid: str, wanted: Wanted) -> Made:
    while True:
        found = await _answer(api, node, uid, wanted)
        if found is not None:
            return found
        await asyncio.sleep(LOOK_SECONDS)


async def _annotations(api: Api, node: str) -> dict[str, str]:
    return nodes.decode(await api.request("GET", paths.node(node))).annotations


async def _answer(api: Api, node: str, uid: str, wanted: Wanted) -> Made | None:
    """None: not yet. Raises NotMade where this attempt failed."""
    annotations = await _annotations(api, node)
    answer = wire.decode_answer(annotations.get(keys.MIG_INSTANCES, ""))
    failure = answer.failed.get(uid)
    if failure is not None and failure.at == wanted.at:
        raise NotMade(f"node {node} did not make the MIG instance: {failure.reason}")
    if answer.ready.get(uid) != wanted.at:
        return None
    there = wire.by_place(answer.instances)
    return {place: there[place] for place in wanted.places if place in there}
