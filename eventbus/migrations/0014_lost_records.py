from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('eventbus', '0013_untrusted_records'),
    ]

    operations = [
        migrations.CreateModel(
            name='LostRecords',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('group', models.CharField(max_length=60)),
                ('topic', models.CharField(max_length=60)),
                ('partition', models.PositiveSmallIntegerField()),
                ('generation', models.CharField(max_length=200)),
                ('begin', models.PositiveBigIntegerField()),
                ('end', models.PositiveBigIntegerField()),
                ('count', models.PositiveBigIntegerField()),
                ('noted_at', models.DateTimeField()),
                ('accepted_at', models.DateTimeField(null=True)),
                ('accepted_by', models.CharField(blank=True, default='', max_length=200)),
            ],
            options={
                'verbose_name': 'lost records',
                'verbose_name_plural': 'lost records',
                'db_table': 'eventbus_lost_records',
            },
        ),
    ]
