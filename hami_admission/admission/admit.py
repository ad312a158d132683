"""The whole decision in order: ours? what does it ask? what is wrong? what has to change?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hami_admission.admission import changes as changes_of
from hami_admission.admission import mutate, scope, validate
from hami_admission.admission.changes import Change, SetNotes
from hami_admission.model.verdict import Objection
from hami_admission.vendors import table
from hami_admission.vendors.vendor import Reading
from hami_admission.wire import keys

if TYPE_CHECKING:
    from hami_admission.model.pod import Pod
    from hami_admission.settings import Settings


class Decision(msgspec.Struct, frozen=True):
    """What admission makes of a pod.

    ``untouched`` says why the pod is left alone; empty means that it is ours. ``readings`` are by
    the vendor's word and slot. A decision with objections has no changes and no readings.
    """

    untouched: str = ""
    objections: tuple[Objection, ...] = ()
    changes: tuple[Change, ...] = ()
    readings: dict[str, tuple[Reading, ...]] = {}
    warnings: tuple[str, ...] = ()

    @property
    def requests(self) -> table.PodRequests:
        """What each slot asks."""
        return table.requests(self.readings)


NOT_ASKING = Decision(untouched="no accelerator is asked for")


def decide(pod: Pod, vendors: table.Vendors, settings: Settings) -> Decision:
    """The decision about a pod that is to be created; the same for the pod as it left here."""
    readings = table.read(vendors, _unadmitted(pod))
    if not readings:
        return NOT_ASKING
    reason = scope.outside(pod, settings)
    if reason is not None:
        foreign = scope.objection(pod, settings)
        if foreign is not None:
            return Decision(objections=(foreign,))
        return Decision(untouched=reason, warnings=(reason,))
    asked = [(table.by_word(vendors, word), slots) for word, slots in readings.items()]
    wrong = validate.objections(pod, asked)
    if wrong:
        return Decision(objections=tuple(wrong))
    changes = mutate.changes(pod, asked, settings)
    return Decision(
        changes=tuple(changes),
        readings=readings,
        warnings=(
            *validate.warnings(asked),
            *validate.strangers(pod, asked, vendors.owners),
            *mutate.overruled(changes),
        ),
    )


def _unadmitted(pod: Pod) -> Pod:
    """The pod as if nobody had noted yet what it is admitted with: that is decided here."""
    notes = {
        name: text
        for name, text in pod.annotations.items()
        if not name.startswith(keys.ADMITTED_PREFIX)
    }
    if len(notes) == len(pod.annotations):
        return pod
    return msgspec.structs.replace(pod, annotations=notes)


def _of_before(change: Change) -> bool:
    """Lacks the pod only what a replica of the version before does not note?"""
    return isinstance(change, SetNotes) and all(
        name.startswith(keys.ADMITTED_PREFIX) and name in change.missing for name in change.notes
    )


def undone(decision: Decision) -> Objection | None:
    """In the validating call: what somebody changed after us, if anything."""
    left = [each for each in decision.changes if not _of_before(each)]
    if not left:
        return None
    field, what = changes_of.about(left[0])
    return Objection(
        field,
        what,
        "the pod is not as the mutating webhook left it; another webhook changed it, or the"
        " mutating webhook was not called",
    )
