"""Ten thousand reviews of a megabyte, clients that are slow, handshakes that do not end."""

from __future__ import annotations

import asyncio
import itertools
import resource
import ssl
import sys
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from hami_admission.control.listener import MOST_CONNECTIONS
from tests import build
from tests.cluster.api import ApiFailure, wait
from tests.cluster.flood import Outcome
from tests.cluster.product import ADDRESS, ROOT
from tests.cluster.test_hostile_input import review
from tests.cluster.test_quota import create, gpu_pod, known
from tests.faults import invariants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.api import Api
    from tests.cluster.processes import Process
    from tests.cluster.product import Product

pytestmark = pytest.mark.alone

REQUESTS, CONNECTIONS, BODY_BYTES = 10_000, 1_000, 1_000_000
MOST_MIB = 350
"""What a flood may cost: 64 MiB of bodies in work, and of each connection its buffers and what it
sent and nobody has read."""

LEFT_MIB = 150
"""What is not given back at once: Python's and the C library's free lists."""

LATE = 0.01
"""Of them may find no time within the deadline of a review, where the machine is too small for who
sends them as well."""

SLOW, ENDLESS = 1000, 500
FEW_FILES = 1024
"""That a process may have open unless it asks for more, by habit of shells."""

HALVES = (
    b"POST /validate HT",
    b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n{",
)


def large(path: str) -> bytes:
    """A good review that is as long as that; of a pod as the other webhook would leave it."""
    pod = build.pod_json(build.container(limits=build.gpu(1)), annotations={"of": "others"})
    padding = "x" * (BODY_BYTES - len(review(object=pod)) - 20)
    return review(object=pod, padding=padding, name=path)


class Watched:
    """The most that a process had in memory."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.most = 0

    async def run(self) -> None:
        """For ever."""
        while True:
            self.most = max(self.most, invariants.resident(self._process))
            await asyncio.sleep(0.2)


async def entering(api: Api, namespace: str, told: list[str]) -> None:
    """A pod a second, created as ever; ``told`` is what each creator heard, "" for a pod."""
    for number in itertools.count():
        try:
            await create(api, gpu_pod(namespace, f"p-{number}", memory=100))
            told.append("")
        except ApiFailure as failure:
            told.append(failure.message)
        await asyncio.sleep(1)


@pytest.mark.timeout(300)
async def test_ten_thousand_reviews_of_a_megabyte(
    product: Product,
    api: Api,
    namespace: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each gets an answer; memory has a bound; pods are created meanwhile, all, and after."""
    process = product.process
    assert process is not None
    await known(product, api, namespace, gpu=1000)
    files = []
    for path in ("mutate", "validate"):
        files.append(tmp_path / f"{path}.json")
        files[-1].write_bytes(large(path))
    base = invariants.resident(process)
    watched = Watched(process)
    told: list[str] = []
    beside = [
        asyncio.create_task(watched.run()),
        asyncio.create_task(entering(api, namespace, told)),
    ]
    argv = [sys.executable, "-m", "tests.cluster.flood", f"{ADDRESS}:443", REQUESTS, CONNECTIONS]
    flood = await asyncio.create_subprocess_exec(
        *map(str, (*argv, *files)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await flood.communicate()
    for task in beside:
        task.cancel()
    outcome = msgspec.json.decode(output, type=Outcome)
    counts: Counter[str] = Counter()
    for answer, count in outcome.answers.items():
        counts[answer.split()[1]] += count
    with capsys.disabled():
        sys.stdout.write(f"[{dict(counts)}, {watched.most - base} MiB] ")
    assert counts.total() == REQUESTS
    assert counts.keys() <= {"200", "later", "504"}
    assert counts["504"] <= REQUESTS * LATE
    assert watched.most - base < MOST_MIB
    assert set(told) == {""}

    async def back() -> bool:
        return invariants.resident(process) - base < LEFT_MIB

    await wait(back, "memory is given back")
    await create(api, gpu_pod(namespace, "after", memory=100))


async def test_slow_clients_and_handshakes_without_an_end(
    product: Product, api: Api, namespace: str
) -> None:
    process = product.process
    assert process is not None
    await known(product, api, namespace, gpu=1000)
    base = descriptors(process)
    careless = _careless()
    held: list[asyncio.StreamWriter] = []

    async def slow(number: int) -> None:
        _, writer = await asyncio.open_connection(ADDRESS, 443, ssl=careless)
        writer.write(HALVES[number % len(HALVES)])
        held.append(writer)

    async def endless() -> None:
        _, writer = await asyncio.open_connection(ADDRESS, 443)
        held.append(writer)

    gate = asyncio.Semaphore(50)

    async def one(number: int) -> None:
        async with gate:
            await (slow(number) if number < SLOW else endless())

    try:
        opening = asyncio.gather(*(one(number) for number in range(SLOW + ENDLESS)))
        for number in range(5):
            await create(api, gpu_pod(namespace, f"p-{number}", memory=100))
        await opening
        await create(api, gpu_pod(namespace, "beside", memory=100))

        async def gone() -> bool:
            return descriptors(process) < base + 20

        await wait(gone, "they are cut off", 30)
    finally:
        for writer in held:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@contextmanager
def soft_limit_of_files(soft: int | None) -> Iterator[None]:
    """For processes that start now; None: as many as may be."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft or before[1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_ten_thousand_handshakes_without_an_end(
    product: Product, api: Api, namespace: str
) -> None:
    """So many are let in and no more, whatever limit of files a shell gave us; then others are."""
    product.kill()
    with soft_limit_of_files(FEW_FILES):
        await product.start()
    process = product.process
    assert process is not None
    await known(product, api, namespace, gpu=1000)
    base, most = descriptors(process), 0
    held: list[asyncio.StreamWriter] = []
    gate = asyncio.Semaphore(100)

    async def one() -> None:
        nonlocal most
        async with gate:
            _, writer = await asyncio.open_connection(ADDRESS, 443)
            held.append(writer)
            if not len(held) % 100:
                most = max(most, descriptors(process))

    async def back() -> bool:
        return descriptors(process) < base + 20

    try:
        with soft_limit_of_files(None):
            await asyncio.gather(*(one() for _ in range(10_000)))
            await wait(back, "they are cut off", 30)
    finally:
        for writer in held:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    assert FEW_FILES < most < base + MOST_CONNECTIONS + 20
    await create(api, gpu_pod(namespace, "after", memory=100))


def descriptors(process: Process) -> int:
    """How many files and sockets a process has open."""
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def _careless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
