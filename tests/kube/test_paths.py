"""Whatever a name holds, it is one segment of the path that we ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from hami_admission.kube import paths

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER = "https://api:6443"
ESCAPES = (
    "a/log",
    "../x",
    "%2e%2e/x",
    "../../../pods",
    "%2E%2E",
    "a?b",
    "a#b",
    "a%2Fb",
    "..;",
    "é",
)

MADE: dict[Callable[..., str], str] = {
    paths.pods: "/api/v1/namespaces/{}/pods",
    paths.pod: "/api/v1/namespaces/{}/pods/{}",
    paths.node: "/api/v1/nodes/{}",
    paths.events: "/api/v1/namespaces/{}/events",
    paths.event: "/api/v1/namespaces/{}/events/{}",
    paths.binding: "/api/v1/namespaces/{}/pods/{}/binding",
    paths.eviction: "/api/v1/namespaces/{}/pods/{}/eviction",
    paths.config_map: "/api/v1/namespaces/{}/configmaps/{}",
    paths.endpoint_slice: "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices/{}",
    paths.quota: "/api/v1/namespaces/{}/resourcequotas/{}",
    paths.quota_status: "/api/v1/namespaces/{}/resourcequotas/{}/status",
    paths.secrets: "/api/v1/namespaces/{}/secrets",
    paths.secret: "/api/v1/namespaces/{}/secrets/{}",
    paths.config_maps: "/api/v1/namespaces/{}/configmaps",
    paths.leases: "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
    paths.lease: "/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}",
}


def asked(path: str) -> list[str]:
    """The segments that a server is asked for, as the client sends them."""
    url = URL(SERVER + path)
    assert (url.raw_query_string, url.raw_fragment, url.host) == ("", "", "api")
    return [unquote(each) for each in url.raw_path.split("/")]


def is_segment(text: str) -> bool:
    return text not in {"", ".", ".."} and not any("\ud800" <= each <= "\udfff" for each in text)


SEGMENTS = st.one_of(st.sampled_from(ESCAPES), st.text(min_size=1)).filter(is_segment)


@pytest.mark.parametrize(
    ("make", "form"), MADE.items(), ids=lambda each: getattr(each, "__name__", "")
)
@given(one=SEGMENTS, other=SEGMENTS)
@example(one="../../../pods", other="a/log")
@example(one="%2e%2e", other="%2e%2e/x")
def test_a_name_is_one_segment(make: Callable[..., str], form: str, one: str, other: str) -> None:
    names = [one, other][: form.count("{}")]
    wanted, given_names = form.split("/"), iter(names)
    assert asked(make(*names)) == [next(given_names) if each == "{}" else each for each in wanted]


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_what_a_client_would_resolve_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an object"):
        paths.pod("team", name)
    with pytest.raises(ValueError, match="is not the name of an object"):
        paths.webhooks(name)


def test_every_path_is_made_in_one_place() -> None:
    """What is made here is what is tried above; constants name no object."""
    made = {
        each
        for name, each in vars(paths).items()
        if callable(each) and each.__module__ == paths.__name__ and not name.startswith("_")
    }
    assert made == MADE.keys() | {paths.webhooks}
