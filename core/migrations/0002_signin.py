from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("signalbox", "0001_core"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.CreateModel(
            name="SignIn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("session_key", models.CharField(max_length=40, unique=True)),
                ("user_agent", models.CharField(blank=True, max_length=300)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_seen", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("user", models.ForeignKey(on_delete=models.deletion.CASCADE, related_name="sign_ins", to=settings.AUTH_USER_MODEL)),
            ],
            options={"indexes": [models.Index(fields=["user", "-last_seen"], name="sign_in_user")]},
        ),
    ]
