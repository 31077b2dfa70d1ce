"""A project whose users have UUIDs for keys: `python -m tests.notifications.uuid_people.story` tells it from tables to badges."""
