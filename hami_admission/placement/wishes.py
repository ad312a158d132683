"""Pod annotations to Wishes; a value that is not known means the cluster's default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hami_admission.model.wishes import Wishes
from hami_admission.settings import POLICIES
from hami_admission.vendors import table
from hami_admission.wire import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hami_admission.settings import Settings


def of(
    annotations: dict[str, str], words: Iterable[str], vendors: table.Vendors, settings: Settings
) -> Wishes:
    """The wishes of a pod for the families that it asks."""
    return Wishes(
        node_policy=_policy(annotations.get(keys.NODE_POLICY), settings.node_scheduler_policy),
        card_policy=_policy(annotations.get(keys.CARD_POLICY), settings.gpu_scheduler_policy),
        selections={
            word: table.selection(table.by_word(vendors, word).keys, annotations) for word in words
        },
    )


def _policy(value: str | None, default: str) -> str:
    return value if value is not None and value in POLICIES else default
