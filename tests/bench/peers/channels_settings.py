"""Settings of the plain Channels peer: no apps, the Redis layer."""

import os

SECRET_KEY = "bench"
INSTALLED_APPS = ["channels"]
CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [os.environ["PEER_REDIS"]]}}}
