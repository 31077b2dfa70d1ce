"""The settings of django-eventstream as a peer: its README's set-up with Redis, without a database."""

import os

SECRET_KEY = "bench"
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_eventstream"]
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "tests.bench.peers.eventstream_app"
EVENTSTREAM_REDIS = {"host": "127.0.0.1", "port": int(os.environ["PEER_REDIS"]), "db": 0}
