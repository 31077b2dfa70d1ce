from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("signalbox", "0006_tally")]

    operations = [
        migrations.AlterModelOptions(
            name="profile",
            options={"permissions": [("export_people", "Can copy a person's data"), ("erase_people", "Can erase a person")]},
        ),
    ]
