"""Make due the parked keys that failed like one whose retry has just succeeded.

What ailed them is probably repaired, and an operator who looks for that should not have to wait for their backoff. Only
the time of the next attempt changes. Each key is still retried by its own worker, in order, and counts its attempts.
"""

from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from eventbus import clock
from eventbus.errors import RetryLater
from eventbus.failures.parking import PARKED_KEYS_MAX
from eventbus.models import ParkedEvent, ParkedKey
from eventbus.progress import groups
from eventbus.progress.partition_epochs import PartitionEpochs

# Keys that one success makes due. Each of them that succeeds does the same, so all follow within a few turns. If they
# still fail, ten attempts are no burden for what they need, and no further ones follow.
ALIKE_AT_ONCE = 10
EACH_BY_ITSELF = (RetryLater.__name__, "")  # such a key waits for something of its own, or has not failed


class FailedAlike:
    """The parked keys of one worker that failed alike. Only the worker's own thread may use it.

    An event is made due once. If it fails then, it was not repaired, and other successes must not use up its attempts.
    """

    def __init__(self, epochs: PartitionEpochs) -> None:
        self._epochs = epochs
        self._done: set[int] = set()  # parked events that were made due

    def make_due(self, succeeded: ParkedEvent) -> None:
        """Make due the oldest keys whose first event failed as this one did before, ALIKE_AT_ONCE at most.

        `succeeded`: the event with its key, as they were before the attempt. Two failures are alike if their event
        types and their error classes are the same. A key that a process died over, or that others own, is left alone.
        """
        error_class = succeeded.parked_key.error.partition(":")[0]
        if error_class in EACH_BY_ITSELF:
            return
        heads = dict(self._waiting(error_class, succeeded.type).values_list("head", "id")[:ALIKE_AT_ONCE])
        if not heads:
            return
        if len(self._done) > PARKED_KEYS_MAX:
            self._done.clear()
        self._done.update(heads)
        keys = ParkedKey.objects.filter(id__in=list(heads.values()), state=ParkedKey.State.RETRYING, running=False)
        keys.update(due_at=clock.now())

    def _waiting(self, error_class: str, type_name: str) -> QuerySet[Any]:
        head = ParkedEvent.objects.filter(parked_key=OuterRef("pk")).order_by("offset", "id")
        mine = groups.among(self._epochs.owned)
        keys = ParkedKey.objects.filter(mine, group=self._epochs.group.name, state=ParkedKey.State.RETRYING)
        alike = keys.filter(running=False, due_at__gt=clock.now(), error__startswith=f"{error_class}:")
        found: QuerySet[Any] = alike.annotate(
            head=Subquery(head.values("id")[:1]), head_type=Subquery(head.values("type")[:1])
        )
        return found.filter(head_type=type_name).exclude(head__in=list(self._done)).order_by("id")
