"""What the desk calls the fields of an offer and the reasons of a cancelled order. No table changes."""

import mcommerce.events
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='offer',
            name='available',
            field=models.IntegerField(null=True, verbose_name='free pieces'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='currency',
            field=models.CharField(blank=True, max_length=3, verbose_name='currency'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='for_sale',
            field=models.BooleanField(default=False, verbose_name='for sale'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='image',
            field=models.CharField(blank=True, max_length=500, verbose_name='picture'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='price',
            field=models.PositiveBigIntegerField(default=0, verbose_name='price'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='sku',
            field=models.CharField(blank=True, max_length=64, verbose_name='article number'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='slug',
            field=models.CharField(blank=True, max_length=200, verbose_name='address of its page'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='stock_version',
            field=models.BigIntegerField(default=-1, verbose_name='version of the stock'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='tax_rate',
            field=models.PositiveIntegerField(default=0, verbose_name='VAT rate'),
        ),
        migrations.AlterField(
            model_name='offer',
            name='version',
            field=models.BigIntegerField(default=-1, verbose_name='version'),
        ),
        migrations.AlterField(
            model_name='order',
            name='cancel_reason',
            field=models.CharField(blank=True, choices=[(mcommerce.events.CancelReason['STOCK_REJECTED'], 'not enough in stock'), (mcommerce.events.CancelReason['PAYMENT_TIMEOUT'], 'not paid in time'), (mcommerce.events.CancelReason['CUSTOMER'], 'the customer’s wish'), (mcommerce.events.CancelReason['STAFF'], 'our decision'), (mcommerce.events.CancelReason['STOCK_LOST'], 'goods not found')], max_length=20, verbose_name='reason'),
        ),
    ]
