"""No test leaves the next one a bus on which only some groups listen."""

import pytest

from eventbus import registry
from eventbus.models import ConsumerGroup, Progress
from tests.table_cleaner import ALL_GROUPS, let_groups_begin


def test_after_a_test_in_which_few_listened_every_group_begins(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dict(list(registry.groups.items())[:1])
    monkeypatch.setattr(registry, "groups", few)
    Progress.objects.all().delete()
    ConsumerGroup.objects.all().delete()

    let_groups_begin("default")

    assert set(ConsumerGroup.objects.values_list("name", flat=True)) == set(ALL_GROUPS)
    assert registry.groups is few
