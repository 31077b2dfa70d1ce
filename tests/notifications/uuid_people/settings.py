from core.settings import *  # noqa: F403
from core.settings import INSTALLED_APPS as COMMON

INSTALLED_APPS = ["tests.notifications.uuid_people", *COMMON]
AUTH_USER_MODEL = "uuid_people.Person"
