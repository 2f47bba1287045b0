from django.db import migrations
from django.db.models import Exists, OuterRef


def leave_one_place(apps, schema_editor):
    """A discarded event had a row in the inbox as well: each event lies in one place."""
    letters = apps.get_model("eventbus", "DeadLetter").objects.filter(
        group=OuterRef("group"), event_id=OuterRef("event_id"), state="discarded"
    )
    apps.get_model("eventbus", "InboxRow").objects.filter(Exists(letters), replay=0).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("eventbus", "0003_outbox_indexes"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="progress",
            name="skipped",
        ),
        migrations.RemoveField(
            model_name="progress",
            name="pruned_skipped",
        ),
        migrations.RunPython(leave_one_place, migrations.RunPython.noop),
    ]
