"""The command line: exit codes, complaints on stderr, and every shape of output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

import hami_admission
from hami_admission.cli import main
from hami_admission.cluster import events, snapshot
from hami_admission.cluster.state import Cluster
from hami_admission.settings import Settings
from hami_admission.wire import keys
from tests import build, yamls
from tests.build import Json, gpu
from tests.cluster.credentials import Authority, kubeconfig

if TYPE_CHECKING:
    from click.testing import Result

GOOD = build.pod_json(build.container(limits=gpu(1, memory=2000)), name="good")
PLAIN = build.pod_json(build.container(), name="plain")
DENIED = build.pod_json(build.container(limits=gpu(1, memory="8Gi")), name="denied")
WAITING = build.pod_json(build.container(limits=gpu(9)), name="waiting")
SERVICE: Json = {"kind": "Service", "metadata": {"name": "s"}}


def _run(*arguments: str, given: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=given)


def _yaml(*documents: object) -> str:
    return yaml.safe_dump_all(documents)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file.yaml"


def test_version() -> None:
    found = _run("version")
    assert (found.exit_code, found.stdout) == (0, f"{hami_admission.__version__}\n")


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("check", "-h"), ("simulate", "-h")])
def test_help(arguments: tuple[str, ...]) -> None:
    found = _run(*arguments)
    assert found.exit_code == 0
    assert "Usage:" in found.stdout


def test_the_readme_shows_what_demo_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    printed = [line.rstrip() for line in _run("demo").output.splitlines()]
    text = (Path(__file__).parents[1] / "README.md").read_text()
    shown = text.partition("```text\n")[2].partition("\n```")[0].splitlines()
    assert len(shown) > 20
    assert [line for line in shown if line not in printed] == []


def test_demo_shows_one_of_each_kind_and_is_fine_with_it() -> None:
    found = _run("demo")
    assert (found.exit_code, found.stderr) == (0, "")
    for words in ("team-a/chat-0", "denied", "waiting", "untouched", "Quotas", "Cards in use"):
        assert words in found.stdout


USAGE: dict[str, tuple[str, ...]] = {
    "no files": ("check",),
    "no files either": ("simulate",),
    "an unknown option": ("check", "-", "--colour"),
    "an unknown format": ("check", "-", "-o", "xml"),
    "a format that simulate has not": ("simulate", "-", "-o", "yaml"),
    "an unknown command": ("explode",),
    "a port that is none": ("control", "--port", "https"),
}


@pytest.mark.parametrize("sentence", USAGE)
def test_usage(sentence: str) -> None:
    found = _run(*USAGE[sentence])
    assert found.exit_code == 2
    assert "Usage:" in found.stderr


CODES: dict[str, tuple[tuple[Json, ...], int, int]] = {
    "nothing": ((), 0, 0),
    "a plain pod": ((PLAIN,), 0, 0),
    "a good pod": ((GOOD, PLAIN), 0, 0),
    "one refused among good ones": ((GOOD, DENIED, GOOD), 1, 1),
    "one that fits nowhere": ((GOOD, WAITING), 0, 1),
    "one over its quota": ((build.quota_json(gpu=0), GOOD), 0, 1),
    "other kinds": ((SERVICE,), 0, 0),
}


@pytest.mark.parametrize("sentence", CODES)
@pytest.mark.parametrize("output", ["table", "json"])
def test_exit_codes(sentence: str, output: str) -> None:
    documents, of_check, of_simulate = CODES[sentence]
    given = _yaml(*documents)
    assert _run("check", "-", "-o", output, given=given).exit_code == of_check
    assert _run("simulate", "-", "-o", output, given=given).exit_code == of_simulate


def test_check_says_the_same_as_json_and_as_yaml() -> None:
    given = _yaml(GOOD, DENIED)
    as_json = json.loads(_run("check", "-", "-o", "json", given=given).stdout)
    as_yaml = yamls.load(_run("check", "-", "-o", "yaml", given=given).stdout)
    assert as_json == as_yaml
    assert [(pod["name"], pod["verdict"]) for pod in as_json["pods"]] == [
        ("good", "admitted"),
        ("denied", "denied"),
    ]


def test_check_takes_templates_once_and_leaves_quotas_aside() -> None:
    spec = {"replicas": 5, "template": {"spec": GOOD["spec"]}}
    workload = {"kind": "Deployment", "metadata": {"name": "d", "namespace": "team"}, "spec": spec}
    given = _yaml(build.quota_json(gpu=0), workload)
    (pod,) = json.loads(_run("check", "-", "-o", "json", given=given).stdout)["pods"]
    assert (pod["owner"], pod["verdict"]) == ("Deployment/d", "admitted")


def test_simulate_reads_files_in_order_and_nodes_first(file: Path, tmp_path: Path) -> None:
    first, nodes = tmp_path / "first.yaml", tmp_path / "nodes.yaml"
    annotations = build.facts("n", 1).annotations
    nodes.write_text(_yaml({"kind": "Node", "metadata": {"name": "n", "annotations": annotations}}))
    first.write_text(_yaml(PLAIN, SERVICE, SERVICE))
    file.write_text(_yaml(GOOD))
    found = _run("simulate", str(first), str(file), "--nodes", str(nodes), "-o", "json")
    answer = json.loads(found.stdout)
    assert [pod["name"] for pod in answer["pods"]] == ["plain", "good"]
    assert answer["pods"][1]["placement"]["node"] == "n"
    assert [node["name"] for node in answer["nodes"]] == ["n"]
    assert (found.exit_code, found.stderr) == (0, "ignored: 2 Service\n")


def test_tables_show_verdict_and_reason() -> None:
    given = _yaml(GOOD, DENIED, SERVICE, {"kind": "ConfigMap"})
    for command in ("check", "simulate"):
        found = _run(command, "-", given=given)
        assert "team/good" in found.stdout
        assert "denied" in found.stdout
        assert found.stderr == "ignored: 1 ConfigMap, 1 Service\n"


DEEP = "{kind: List, items: " + "[" * 50 + "]" * 50 + "}"

BAD: dict[str, tuple[str | bytes, str]] = {
    "not YAML": ("a: [", "standard input: not YAML: "),
    "not YAML's letters": ("a: \x00", "standard input: not YAML: "),
    "not UTF-8": (b"a: \xff\xfe", "-: not UTF-8 text"),
    "not an object": ("words", "standard input, document 1: not a Kubernetes object but str"),
    "the second document": (
        "---\n{kind: Service}\n---\n{name: x}\n",
        "standard input, document 2: kind: a text is wanted, got None",
    ),
    "a field of a pod": (
        "{kind: Pod, metadata: {name: p}, spec: {containers: {}}}",
        "standard input, document 1: not a Pod: Expected `array | null`, got `object`"
        " - at `$.spec.containers`",
    ),
    "a pod of 257 containers": (
        _yaml(build.pod_json(*[build.container()] * 257)),
        "standard input, document 1: spec.containers: more than 256 containers",
    ),
    "lists in lists": (DEEP, "standard input, document 1, item 1: not a Kubernetes object but l"),
    "a date that is none": ("a: 2026-99-99", "standard input: not YAML: "),
}


@pytest.mark.parametrize("sentence", BAD)
@pytest.mark.parametrize("command", ["check", "simulate"])
def test_bad_input(command: str, sentence: str) -> None:
    given, line = BAD[sentence]
    found = _run(command, "-", given=given)
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr.startswith(f"hami-admission: {line}")


def test_a_file_that_cannot_be_read_is_named(file: Path, tmp_path: Path) -> None:
    for path, reason in ((file, "No such file or directory"), (tmp_path, "Is a directory")):
        found = _run("check", str(path))
        assert (found.exit_code, found.stderr) == (2, f"hami-admission: {path}: {reason}\n")
        assert _run("simulate", "-", "--nodes", str(path), given="").exit_code == 2


def test_a_mistake_in_a_file_names_the_file(file: Path) -> None:
    file.write_text(_yaml(PLAIN, {"kind": "Pod"}))
    found = _run("simulate", str(file))
    assert found.exit_code == 2
    assert found.stderr.startswith(f"hami-admission: {file}, document 2: metadata: a mapping is")


BRACKETS = ("[", '{"a":', "- ")
CHECK_EACH = """
import json, sys
from click.testing import CliRunner
from hami_admission.cli import main
for file in sys.argv[1:]:
    found = CliRunner().invoke(main, ["check", file])
    print(json.dumps([found.exit_code, found.stdout, found.stderr]), flush=True)
"""


@pytest.fixture(scope="module")
def brackets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list[Any]]]:
    """By what opens: the file, exit code and output; of a process of its own, which may go down."""
    files = {each: tmp_path_factory.mktemp("brackets") / "file.yaml" for each in BRACKETS}
    for opening, file in files.items():
        file.write_text(opening * 100_000)
    command = [sys.executable, "-c", CHECK_EACH, *map(str, files.values())]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = [json.loads(line) for line in found.stdout.splitlines()]
    return {each: (files[each], line) for each, line in zip(BRACKETS, told, strict=False)}


@pytest.mark.parametrize("opening", BRACKETS)
def test_100_000_brackets_do_not_bring_the_process_down(
    opening: str, brackets: dict[str, tuple[Path, list[Any]]]
) -> None:
    assert opening in brackets, "the process went down"
    file, (code, stdout, stderr) = brackets[opening]
    assert (code, stdout) == (2, "")
    assert stderr.startswith(f"hami-admission: {file}: ")


def test_exit_code_and_complaints_of_a_real_process() -> None:
    """Of its standard input, and as the system sees them."""
    command = [sys.executable, "-m", "hami_admission", "check", "-"]
    found = subprocess.run(
        command, input="[" * 100_000, capture_output=True, text=True, timeout=60, check=False
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("hami-admission: standard input: ")


SETTINGS: dict[str, tuple[str, int]] = {
    "an empty file": ("", 0),
    "a comment": ("# nothing\n", 0),
    "a setting": ("{schedulerName: other}", 0),
    "a list": ("[a]", 2),
    "two documents": ("{}\n---\n{}\n", 2),
    "not YAML": ("a: [", 2),
    "null": ("---\n", 2),
}


@pytest.mark.parametrize("sentence", SETTINGS)
@pytest.mark.parametrize("command", ["check", "simulate"])
def test_config(command: str, sentence: str, file: Path) -> None:
    text, code = SETTINGS[sentence]
    file.write_text(text)
    found = _run(command, "-", "--config", str(file), "-o", "json", given=_yaml(GOOD))
    assert found.exit_code == code
    if code == 2:
        assert str(file) in found.stderr
    else:
        (pod,) = json.loads(found.stdout)["pods"]
        assert pod["schedulerName"] == ("other" if "other" in text else "hami-scheduler")


@pytest.mark.parametrize("command", [("check", "-"), ("simulate", "-"), ("control",)])
def test_config_mistakes_are_all_listed(command: tuple[str, ...], file: Path) -> None:
    file.write_text("{holdSeconds: -1, nvidia: {gpus: 1, defaultCores: x}}")
    found = _run(*command, "--config", str(file), given="")
    assert found.exit_code == 2
    for line in ("holdSeconds: -1: ", "nvidia.gpus: no such setting", "nvidia.defaultCores: 'x'"):
        assert f"{file}: {line}" in found.stderr


CLASH = """
families:
  - {word: Acme, resourceCountName: nvidia.com/gpu, resourceMemoryName: x.io/m}
  - {word: Bcme, resourceCountName: x.io/n, resourceMemoryName: x.io/m}
"""


@pytest.mark.parametrize(
    "command", [("check", "-"), ("simulate", "-"), ("control",), ("try",), ("doctor",)]
)
def test_families_that_share_a_resource_are_a_mistake(command: tuple[str, ...], file: Path) -> None:
    file.write_text(CLASH)
    found = _run(*command, "--config", str(file), given="")
    assert (found.exit_code, found.stdout) == (2, "")
    assert found.stderr == (
        f"hami-admission: {file}: nvidia.com/gpu: a resource of NVIDIA and again of Acme\n"
        f"{file}: x.io/m: a resource of Acme and again of Bcme\n"
    )


@pytest.mark.parametrize("command", [("check", "-"), ("simulate", "-"), ("control",)])
def test_a_mistake_of_a_family_has_its_whole_path(command: tuple[str, ...], file: Path) -> None:
    file.write_text("families: [{word: A, resourceCountName: x.io/n, charge: all}]")
    found = _run(*command, "--config", str(file), given="")
    assert found.exit_code == 2
    assert f"{file}: families[0].charge: 'all': Invalid enum value 'all'" in found.stderr


def test_a_config_that_is_not_there_is_named(file: Path) -> None:
    found = _run("check", "-", "--config", str(file), given="")
    expected = f"hami-admission: {file}: No such file or directory\n"
    assert (found.exit_code, found.stderr) == (2, expected)


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "hami_admission", "version"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout == f"{hami_admission.__version__}\n"


MANIFESTS = Path(__file__).parents[2] / "shared" / "manifests"
SERVING = [
    path
    for folder in ("vllm", "xinference")
    for path in sorted((MANIFESTS / folder).glob("*.yaml"))
]


@pytest.mark.skipif(not SERVING, reason="the serving charts' manifests are not beside this tree")
def test_manifests_of_serving_charts_are_understood() -> None:
    for path in SERVING:
        found = _run("simulate", str(path), "-o", "json")
        assert found.exit_code in {0, 1}, f"{path.name}: {found.stderr}{found.exception!r}"
        names = [pod["name"] for pod in json.loads(found.stdout)["pods"]]
        assert names, f"{path.name} holds no pod"


def test_control_says_what_it_wants(tmp_path: Path) -> None:
    cluster, none = tmp_path / "cluster.conf", str(tmp_path / "none")
    cluster.write_text(kubeconfig("https://127.0.0.1:1", Authority(tmp_path).file, "token"))
    for arguments, said in (
        ((), "not in a pod, and no --kubeconfig"),
        (("--kubeconfig", none), none),
        (("--kubeconfig", str(cluster), "--tls-folder", none), f"{none}/tls.crt: No such file"),
    ):
        command = [sys.executable, "-m", "hami_admission", "control", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 2
        assert f"hami-admission: {said}" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A snapshot of a node of two cards with a pod that waits for three, and one that is bound."""
    cluster = Cluster(Settings())
    cluster.apply(events.NodeSeen(build.facts("n", 2)), 0)
    notes = {keys.NVIDIA_ALLOCATED: "GPU-n-0,NVIDIA,2000,0:;"}
    one = build.container(limits=gpu(1, memory=2000))
    bound = build.pod(one, name="bound", uid="b", nodeName="n", annotations=notes)
    waits = build.pod(build.container(limits=gpu(3)), name="waits", uid="w")
    for pod in (bound, waits):
        cluster.apply(events.PodSeen(pod), 0)
    demand = cluster.demand(waits)
    assert demand is not None
    cluster.plan(waits, demand, ["n"], 5)
    path = tmp_path / "state.json"
    path.write_bytes(snapshot.encode(snapshot.take(cluster, 9), cluster.vendors))
    return path


def test_explain_a_waiting_pod(state: Path) -> None:
    found = _run("explain", "team/waits", "--snapshot", str(state))
    assert found.exit_code == 1
    for words in ("team/waits: refused", "NodeInsufficientDevice", "GPU-n-1", "at most 1"):
        assert words in found.stdout
    found = _run("explain", "team/waits", "--snapshot", str(state), "-o", "json")
    assert json.loads(found.stdout)["changes"] == [
        {"what": "nvidia.com/gpu", "asked": "3", "enough": "at most 1", "node": "n"},
    ]


def test_explain_a_bound_pod(state: Path) -> None:
    found = _run("explain", "team/bound", "--snapshot", str(state))
    assert found.exit_code == 0
    assert "team/bound: bound on n" in found.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("team/other",), "team/other: no such pod"),
        (("other",), "write NAMESPACE/POD"),
        (("a/b/c",), "write NAMESPACE/POD"),
    ],
)
def test_explain_of_nothing(state: Path, arguments: tuple[str, ...], words: str) -> None:
    found = _run("explain", *arguments, "--snapshot", str(state))
    assert found.exit_code == 2
    assert words in found.stderr


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:1", "https://example.org", "https://127.0.0.1:1", "https://[::1"]
)
def test_explain_asks_this_machine_only_and_says_when_nobody_answers(server: str) -> None:
    found = _run("explain", "team/p", "--server", server)
    assert found.exit_code == 2
    assert server.removesuffix("/") in found.stderr


def test_explain_and_simulate_say_that_a_file_is_no_snapshot(file: Path) -> None:
    file.write_text("{}")
    for command in (("explain", "a/b"), ("simulate",)):
        found = _run(*command, "--snapshot", str(file))
        assert found.exit_code == 2
        assert f"{file}: a snapshot of version 0" in found.stderr


def test_simulate_goes_on_from_a_snapshot(state: Path, file: Path) -> None:
    found = _run("simulate", "--snapshot", str(state), "-o", "json")
    assert found.exit_code == 1
    (again,) = json.loads(found.stdout)["pods"]
    assert (again["name"], again["reasons"]) == ("waits", {"n": "2/2 NodeInsufficientDevice"})
    file.write_text(_yaml({**GOOD, "metadata": {"name": "new"}}, a_node("m", 4)))
    found = _run("simulate", "--snapshot", str(state), str(file), "-o", "json")
    assert found.exit_code == 0
    placed = {each["name"]: each["placement"]["node"] for each in json.loads(found.stdout)["pods"]}
    assert placed == {"waits": "m", "new": "m"}


def test_simulate_needs_files_or_a_snapshot() -> None:
    found = _run("simulate")
    assert found.exit_code == 2
    assert "--snapshot FILE" in found.stderr


def a_node(name: str, cards: int) -> Json:
    """A Node as a file has it."""
    facts = build.facts(name, cards)
    return {"kind": "Node", "metadata": {"name": name, "annotations": facts.annotations}}
