
import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.expressions
import eventbus.clock
import eventbus.ids
import mcommerce.products.models
import mcommerce.products.pictures
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='OldSlug',
            fields=[
                ('slug', models.SlugField(max_length=120, primary_key=True, serialize=False)),
            ],
            options={
                'verbose_name': 'old address',
                'verbose_name_plural': 'old addresses',
            },
        ),
        migrations.CreateModel(
            name='Product',
            fields=[
                ('id', models.UUIDField(default=eventbus.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('sku', models.CharField(max_length=40, unique=True, verbose_name='article number')),
                ('slug', models.SlugField(help_text='The old address will lead to the new one.', max_length=120, unique=True, verbose_name='address of the page')),
                ('title', models.JSONField(verbose_name='title')),
                ('description', models.JSONField(blank=True, default=dict, verbose_name='description')),
                ('price', models.PositiveBigIntegerField(verbose_name='price')),
                ('currency', models.CharField(max_length=3, verbose_name='currency')),
                ('tax_rate', models.PositiveIntegerField(verbose_name='VAT rate')),
                ('image', models.CharField(blank=True, max_length=200, verbose_name='drawing')),
                ('picture', mcommerce.products.pictures.PictureField(blank=True, help_text='PNG, JPEG or WebP. What the file says of place and camera is removed.', max_length=200, storage=mcommerce.products.models.picture_storage, upload_to=mcommerce.products.pictures.picture_name, verbose_name='picture')),
                ('published', models.BooleanField(default=False, verbose_name='for sale')),
                ('version', models.PositiveBigIntegerField(default=0, editable=False)),
                ('folded', models.JSONField(default=dict, editable=False)),
                ('words', models.TextField(default='', editable=False)),
                ('created_at', models.DateTimeField(default=eventbus.clock.now, editable=False, verbose_name='created')),
                ('changed_at', models.DateTimeField(default=eventbus.clock.now, editable=False, verbose_name='changed')),
            ],
            options={
                'verbose_name': 'product',
                'verbose_name_plural': 'products',
                'ordering': ['sku'],
                'indexes': [models.Index(django.db.models.functions.text.Upper('sku'), name='product_by_sku')],
            },
        ),
        migrations.CreateModel(
            name='Reservation',
            fields=[
                ('order_id', models.UUIDField(primary_key=True, serialize=False, verbose_name='order')),
                ('status', models.CharField(choices=[('held', 'held'), ('committed', 'sold'), ('released', 'released'), ('returned', 'returned')], max_length=10, verbose_name='status')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('changed_at', models.DateTimeField(verbose_name='changed')),
            ],
            options={
                'verbose_name': 'reservation',
                'verbose_name_plural': 'reservations',
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['-created_at', '-order_id'], name='reservation_newest')],
            },
        ),
        migrations.CreateModel(
            name='ReservationLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('quantity', models.PositiveIntegerField(verbose_name='quantity')),
            ],
            options={
                'verbose_name': 'line of a reservation',
                'verbose_name_plural': 'lines of a reservation',
            },
        ),
        migrations.CreateModel(
            name='StockMovement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('received', 'received'), ('held', 'held for an order'), ('released', 'released by an order'), ('sold', 'sold'), ('lost', 'written off'), ('returned', 'returned')], max_length=10, verbose_name='what happened')),
                ('quantity', models.PositiveIntegerField(verbose_name='quantity')),
                ('order_id', models.UUIDField(blank=True, null=True, verbose_name='order')),
                ('note', models.CharField(blank=True, max_length=200, verbose_name='note')),
                ('by', models.UUIDField(blank=True, null=True, verbose_name='by')),
                ('at', models.DateTimeField(verbose_name='at')),
            ],
            options={
                'verbose_name': 'stock movement',
                'verbose_name_plural': 'stock movements',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['order_id'], name='stock_movement_of_order')],
            },
        ),
        migrations.CreateModel(
            name='Stock',
            fields=[
                ('product', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='stock', serialize=False, to='products.product')),
                ('received', models.PositiveBigIntegerField(default=0, verbose_name='received')),
                ('on_hand', models.PositiveBigIntegerField(default=0, verbose_name='on the shelf')),
                ('held', models.PositiveBigIntegerField(default=0, verbose_name='held for orders')),
                ('sold', models.PositiveBigIntegerField(default=0, verbose_name='sold')),
                ('lost', models.PositiveBigIntegerField(default=0, verbose_name='written off')),
                ('version', models.PositiveBigIntegerField(default=0, editable=False)),
            ],
            options={
                'verbose_name': 'stock',
                'verbose_name_plural': 'stock',
            },
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('price__gte', 0)), name='product_price_not_negative'),
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('tax_rate__gte', 0), ('tax_rate__lte', 10000)), name='product_tax_rate_in_range'),
        ),
        migrations.AddConstraint(
            model_name='product',
            constraint=models.CheckConstraint(condition=models.Q(('currency', ''), _negated=True), name='product_currency_named'),
        ),
        migrations.AddField(
            model_name='oldslug',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='old_slugs', to='products.product'),
        ),
        migrations.AddConstraint(
            model_name='reservation',
            constraint=models.CheckConstraint(condition=models.Q(('status__in', ['held', 'committed', 'released', 'returned'])), name='reservation_status_known'),
        ),
        migrations.AddField(
            model_name='reservationline',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='products.product', verbose_name='product'),
        ),
        migrations.AddField(
            model_name='reservationline',
            name='reservation',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='products.reservation'),
        ),
        migrations.AddField(
            model_name='stockmovement',
            name='product',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='movements', to='products.product', verbose_name='product'),
        ),
        migrations.AddConstraint(
            model_name='stock',
            constraint=models.CheckConstraint(condition=models.Q(('held__gte', 0), ('held__lte', models.F('on_hand'))), name='stock_held_is_on_hand'),
        ),
        migrations.AddConstraint(
            model_name='stock',
            constraint=models.CheckConstraint(condition=models.Q(('received', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('on_hand'), '+', models.F('sold')), '+', models.F('lost')))), name='stock_every_piece_is_somewhere'),
        ),
        migrations.AddConstraint(
            model_name='reservationline',
            constraint=models.UniqueConstraint(fields=('reservation', 'product'), name='reservation_line_once_a_product'),
        ),
        migrations.AddConstraint(
            model_name='reservationline',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gte', 1)), name='reservation_line_of_something'),
        ),
        migrations.AddConstraint(
            model_name='stockmovement',
            constraint=models.CheckConstraint(condition=models.Q(('quantity__gte', 1)), name='stock_movement_of_something'),
        ),
    ]
