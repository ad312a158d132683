"""Node and its defaults."""

from __future__ import annotations

import math

from hami_admission.model.node import Node


def test_a_node_offers_nothing_and_runs_out_never_unless_said_otherwise() -> None:
    node = Node("n")
    assert (node.devices, node.mistakes, node.until) == ({}, {}, math.inf)


def test_two_nodes_share_no_devices() -> None:
    Node("n").devices["NVIDIA"] = ()
    assert Node("m").devices == {}
