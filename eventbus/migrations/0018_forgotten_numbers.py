from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('eventbus', '0017_divergence'),
    ]

    operations = [
        migrations.AddField(
            model_name='forgottenspan',
            name='last',
            field=models.PositiveBigIntegerField(db_default=9223372036854775807, default=9223372036854775807),
        ),
    ]
