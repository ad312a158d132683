"""Settings from a mapping: upstream's names, and all mistakes at once."""

from __future__ import annotations

import pytest

from hami_admission import settings
from hami_admission.options import AscendTemplate, CardSize
from hami_admission.settings import Mistakes, NvidiaOptions, Settings


def test_nothing_gives_the_defaults() -> None:
    assert settings.from_mapping({}) == Settings()
    assert settings.from_mapping({"nvidia": {}}) == Settings()


def test_defaults_that_users_rely_on() -> None:
    """Facts 1.1, 2.2 and 2.4; design 2."""
    found = Settings()
    assert (found.node_scheduler_policy, found.gpu_scheduler_policy) == ("binpack", "spread")
    assert found.force_overwrite_default_scheduler
    assert "kube-system" in found.exempt_namespaces
    assert found.review_seconds < 3
    assert found.nvidia.resource_count_name == "nvidia.com/gpu"
    assert found.nvidia.resource_memory_name == "nvidia.com/gpumem"
    assert found.nvidia.resource_percent_name == "nvidia.com/gpumem-percentage"
    assert found.nvidia.resource_cores_name == "nvidia.com/gpucores"
    assert found.nvidia.resource_priority_name == "nvidia.com/priority"
    assert (found.nvidia.default_gpu_num, found.nvidia.core_policy) == (1, "default")


def test_every_name_is_upstreams() -> None:
    found = settings.from_mapping({
        "schedulerName": "s",
        "moreSchedulerNames": ["before"],
        "forceOverwriteDefaultScheduler": False,
        "otherSchedulers": ["volcano"],
        "nodeSchedulerPolicy": "spread",
        "gpuSchedulerPolicy": "binpack",
        "exemptNamespaces": ["a"],
        "holdSeconds": 1,
        "bookingSeconds": 2,
        "reviewSeconds": 1,
        "reviewSenders": ["10.0.0.0/8", "2001:db8::1"],
        "reviewAuthority": "/ca.crt",
        "nvidia": {
            "resourceCountName": "x/n",
            "resourceMemoryName": "x/m",
            "resourceMemoryPercentageName": "x/p",
            "resourceCoreName": "x/c",
            "resourcePriorityName": "x/prio",
            "defaultMemory": 5000,
            "defaultCores": 30,
            "defaultGPUNum": 2,
            "overwriteEnv": True,
            "gpuCorePolicy": "force",
            "runtimeClassName": "nvidia",
        },
    })
    assert found == Settings(
        scheduler_name="s",
        more_scheduler_names=("before",),
        force_overwrite_default_scheduler=False,
        other_schedulers=("volcano",),
        node_scheduler_policy="spread",
        gpu_scheduler_policy="binpack",
        exempt_namespaces=("a",),
        hold_seconds=1,
        booking_seconds=2,
        review_seconds=1.0,
        review_senders=("10.0.0.0/8", "2001:db8::1"),
        review_authority="/ca.crt",
        nvidia=NvidiaOptions(
            resource_count_name="x/n",
            resource_memory_name="x/m",
            resource_percent_name="x/p",
            resource_cores_name="x/c",
            resource_priority_name="x/prio",
            default_memory=5000,
            default_cores=30,
            default_gpu_num=2,
            overwrite_env=True,
            core_policy="force",
            runtime_class="nvidia",
        ),
    )


FAMILY = {"word": "Acme", "resourceCountName": "acme.example/npu"}
CHIP = {
    "chipName": "c",
    "commonWord": "c",
    "resourceCountName": "x/n",
    "resourceMemoryName": "x/m",
    "resourceCoreName": "x/c",
}
ASCEND = {
    "chipName": "c",
    "commonWord": "c",
    "resourceName": "x/n",
    "resourceMemoryName": "x/m",
    "memoryAllocatable": 2,
    "memoryCapacity": 2,
}

WRONG: dict[str, tuple[dict[str, object], str]] = {
    "unknown": ({"colour": "red"}, "colour: no such setting; there are: "),
    "unknown inside": ({"nvidia": {"gpus": 1}}, "nvidia.gpus: no such setting; there are: "),
    "another spelling": ({"scheduler_name": "s"}, "scheduler_name: no such setting"),
    "a text for a number": ({"holdSeconds": "ten"}, "holdSeconds: 'ten': Expected `int`"),
    "a boolean for a number": ({"holdSeconds": True}, "holdSeconds: True: Expected `int`"),
    "a text for a boolean": (
        {"forceOverwriteDefaultScheduler": "no"},
        "forceOverwriteDefaultScheduler: 'no': Expected `bool`",
    ),
    "a negative number": ({"nvidia": {"defaultMemory": -1}}, "nvidia.defaultMemory: -1: must not"),
    "a negative time": ({"reviewSeconds": -0.5}, "reviewSeconds: -0.5: must not be negative"),
    "an unknown policy": (
        {"gpuSchedulerPolicy": "best"},
        "gpuSchedulerPolicy: 'best': Expected `str`",
    ),
    "a list for a section": ({"nvidia": []}, "nvidia: must be a mapping, got []"),
    "null for a section": ({"nvidia": None}, "nvidia: must be a mapping, got None"),
    "a text for a list": ({"exemptNamespaces": "a"}, "exemptNamespaces: 'a': Expected `array`"),
    "a sender that is no range": (
        {"reviewSenders": ["10.0.0.0/8", "10.0.0.1/8"]},
        "reviewSenders: 10.0.0.1/8 has host bits set",
    ),
    "a sender by name": ({"reviewSenders": "apiserver"}, "reviewSenders: 'apiserver': "),
    "no sender at all": ({"reviewSenders": []}, "reviewSenders: []: Expected `array` of length"),
    "an empty name": ({"schedulerName": ""}, "schedulerName: must not be empty"),
    "no list of families": ({"families": {}}, "families: must be a list, got {}"),
    "a family that is none": ({"families": ["x"]}, "families[0]: must be a mapping, got 'x'"),
    "a field of the second family": (
        {"families": [FAMILY, {**FAMILY, "charge": "fluidity"}]},
        "families[1].charge: 'fluidity': Invalid enum value 'fluidity'",
    ),
    "an unknown field of a family": (
        {"families": [{**FAMILY, "gpus": 1}]},
        "families[0].gpus: no such setting; there are: allocated, card, charge, ",
    ),
    "a field that is missing": (
        {"families": [{"word": "A"}]},
        "families[0].resourceCountName: must be given",
    ),
    "an empty field that must be given": (
        {"families": [{**FAMILY, "resourceCountName": ""}]},
        "families[0].resourceCountName: must not be empty",
    ),
    "a resource without a domain": (
        {"families": [{**FAMILY, "resourceCountName": "cpu"}]},
        "families[0].resourceCountName: 'cpu': Expected `str` matching regex",
    ),
    "an annotation that Kubernetes refuses": (
        {"families": [{**FAMILY, "allocated": "x.io/-"}]},
        "families[0].allocated: 'x.io/-': Expected `str` matching regex",
    ),
    "a word that ends an annotation as none may": (
        {"families": [{**FAMILY, "word": "A."}]},
        "families[0].word: 'A.': Expected `str` matching regex",
    ),
    "a negative field of a family": (
        {"families": [{**FAMILY, "defaultCores": -1}]},
        "families[0].defaultCores: -1: must not be negative",
    ),
    "a field of a section of a family": (
        {"families": [{**FAMILY, "card": {"slots": 0}}]},
        "families[0].card.slots: 0: Expected `int` >= 1",
    ),
    "a section of a family that is none": (
        {"families": [{**FAMILY, "card": 1}]},
        "families[0].card: must be a mapping, got 1",
    ),
    "a chip": (
        {"iluvatars": [{**CHIP, "commonWord": 5}]},
        "iluvatars[0].commonWord: 5: Expected `str`",
    ),
    "a list within a list": (
        {"vnpus": {"configs": [{**ASCEND, "templates": [{"name": "v", "memory": 0}]}]}},
        "vnpus.configs[0].templates[0].memory: 0: Expected `int` >= 1",
    ),
    "null": ({"schedulerName": None}, "schedulerName: None: Expected `str`"),
}


@pytest.mark.parametrize("sentence", WRONG)
def test_wrong(sentence: str) -> None:
    values, line = WRONG[sentence]
    with pytest.raises(Mistakes) as caught:
        settings.from_mapping(values)
    (found,) = caught.value.lines
    assert found.startswith(line)


def test_lists_of_sections_are_read() -> None:
    card = {"slots": 2, "memory": 1024}
    given = {
        "families": [FAMILY, {**FAMILY, "word": "B", "card": card}],
        "iluvatars": [CHIP],
        "vnpus": {"configs": [{**ASCEND, "templates": [{"name": "v", "memory": 1}]}]},
    }
    found = settings.from_mapping(given)
    assert [each.word for each in found.families] == ["Acme", "B"]
    assert found.families[1].card == CardSize(slots=2, memory=1024)
    assert [each.chip_name for each in found.iluvatars] == ["c"]
    assert found.vnpus.configs[0].templates == (AscendTemplate(name="v", memory=1),)


def test_what_is_nothing_by_default_may_be_written_as_nothing() -> None:
    family = {**FAMILY, "register": "", "resourceMemoryName": "", "card": None}
    found = settings.from_mapping({"families": [family], "nvidia": {"runtimeClassName": ""}})
    assert found == settings.from_mapping({"families": [FAMILY]})


def test_all_mistakes_of_all_families_are_told_at_once() -> None:
    with pytest.raises(Mistakes) as caught:
        settings.from_mapping({"families": [{"charge": "x"}, {"word": "", "lock": 1}]})
    assert [line.partition(": ")[0] for line in caught.value.lines] == [
        "families[0].charge",
        "families[0].word",
        "families[0].resourceCountName",
        "families[1].word",
        "families[1].lock",
        "families[1].resourceCountName",
    ]


def test_all_mistakes_are_told_at_once() -> None:
    values = {"colour": 1, "holdSeconds": -1, "nvidia": {"defaultCores": "x", "gpus": 1}}
    with pytest.raises(Mistakes) as caught:
        settings.from_mapping(values)
    names = [line.partition(":")[0] for line in caught.value.lines]
    assert names == ["colour", "holdSeconds", "nvidia.defaultCores", "nvidia.gpus"]
    assert str(caught.value) == "\n".join(caught.value.lines)


def test_a_yes_is_no_number_that_could_be_negative() -> None:
    assert settings.from_mapping({"nvidia": {"overwriteEnv": False}}) == Settings()
