from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('eventbus', '0010_pruned_before'),
    ]

    operations = [
        migrations.AddField(
            model_name='topiclog',
            name='partitions',
            field=models.PositiveSmallIntegerField(null=True),
        ),
    ]
