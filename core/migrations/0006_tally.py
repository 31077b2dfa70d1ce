from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signalbox", "0005_disconnect_people")]

    operations = [
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=80)),
                ("labels", models.CharField(max_length=200)),
                ("value", models.FloatField(default=0)),
            ],
            options={
                "verbose_name_plural": "tallies",
                "constraints": [models.UniqueConstraint(fields=("name", "labels"), name="tally_once")],
            },
        ),
    ]
