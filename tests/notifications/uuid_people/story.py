"""Everything of notifications that touches a user's key, once, on a fresh database. Prints "told" when all of it held."""

import os
import re
from uuid import UUID

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.notifications.uuid_people.settings"


def main() -> None:
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    from core.delivery.channel import Reader, registry
    from core.models import Event
    from notifications import actions
    from notifications.broadcasts import actions as broadcasts
    from notifications.models import InboxItem

    model = get_user_model()
    ops = Group.objects.create(name="ops")
    people = [model.objects.create_user(f"u{n}", password="x") for n in range(5)]
    people[0].groups.add(ops)
    first, key = people[0], str(people[0].pk)

    assert actions.notify(["ops", people[1], model.objects.filter(username="u2")], title="Hello", key="k").recipients == 3
    assert Event.objects.filter(channel=f"user:{key}", type="notification.put").count() == 1
    assert actions.notify("u0", title="Hello again", key="k").recipients == 1
    made = actions.broadcast("all", title="To all")
    # Made after the send, with a key below all others: not meant, neither by the worker nor by her own page.
    late = model.objects.create_user("late", password="x", id=UUID(int=1))
    broadcasts.ensure_items(late)
    assert set(broadcasts.people_of(made)) == set(people)
    while broadcasts.write_chunk(made.pk, size=2):
        pass
    made.refresh_from_db()
    assert (made.state, made.written, InboxItem.objects.filter(notification=made.notification).count()) == ("done", 5, 5)

    counts = registry.kinds["user"].counts([key])[key]
    assert re.search(r'data-count="2"', counts), counts
    reader = Reader(user=key)
    assert registry.kinds["user"].readable([reader], [key]) == {(reader, key)}
    assert registry.kinds["audience"].readable([reader], ["all", f"group-{ops.pk}"]) == {(reader, "all"), (reader, f"group-{ops.pk}")}
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(first)
    page = browser.get("/inbox/").content.decode()
    assert "Hello again" in page
    assert f'data-channel="user:{key}"' in page
    assert actions.mark_seen(first) == 2
    print("told")


if __name__ == "__main__":
    main()
