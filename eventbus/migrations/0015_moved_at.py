from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('eventbus', '0014_lost_records'),
    ]

    operations = [
        migrations.AddField(
            model_name='progress',
            name='moved_at',
            field=models.DateTimeField(null=True),
        ),
    ]
