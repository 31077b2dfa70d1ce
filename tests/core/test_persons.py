"""A person takes her data with her, and goes without a trace: every table is looked through, every field that could name her covered."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, models
from django.test import Client
from django.utils import timezone

from core import persons
from core.delivery import authority, presence, sequencer
from core.delivery.publishing import publish
from core.models import Channel, Event, Intent, Presence, Process, Run
from core.tokens import make_token
from notifications import transports

pytestmark = pytest.mark.django_db

PARTS = ("access", "notifications", "rooms", "boards")
NAME, NEEDLE = "Xanthippe", "xanthip"  # nobody else is called so
OURS = ("signalbox", "signalbox_notifications", "signalbox_rooms", "signalbox_dashboard")

# Fields that sound like somebody's and are not, and why.
NOT_PERSONAL = {
    "signalbox.Channel.name": "a channel's address: kinds and primary keys",
    "signalbox.Lease.name": "what is leased",
    "signalbox.Lease.holder": "a process",
    "signalbox.Tally.name": "a figure's name",
    "signalbox_notifications.Schedule.name": "a job's name",
    "signalbox_notifications.Notification.data": "the sender's own data, which she answers for",
    "signalbox_dashboard.Series.name": "a line of values",
    "signalbox_dashboard.AlertRule.name": "what an alert is called",
    "signalbox_dashboard.Sample.data": "what a source read elsewhere; trimmed with the widget's samples",
    "signalbox_rooms.Message.address": "a guest's; empty for people with an account",
}
SOUNDS_LIKE_SOMEBODY = {
    "who",
    "author",
    "name",
    "owner",
    "address",
    "user_agent",
    "audience",
    "scope",
    "holder",
    "data",
    "figures",
    "result",
}


def number_all() -> None:
    while waiting := set(Event.objects.filter(offset=None).values_list("channel", flat=True)):
        sequencer.sequence(waiting)


# --- nothing is left out ---


def personal_fields() -> Iterator[str]:
    """Every relation to people in any model that is installed, and whatever of ours sounds like somebody."""
    user = get_user_model()
    for model in apps.get_models(include_auto_created=False):
        if model is user or model._meta.auto_created:
            continue
        for field in model._meta.get_fields():
            if not isinstance(field, models.Field):
                continue
            related = field.is_relation and field.related_model is user
            if related or (model._meta.app_label in OURS and field.name in SOUNDS_LIKE_SOMEBODY):
                yield f"{model._meta.app_label}.{model.__name__}.{field.name}"


def test_every_field_that_could_name_somebody_is_covered_by_a_part():
    covered = {field for part in persons.parts() for field in part.covers}
    found = set(personal_fields())
    assert found - covered - set(NOT_PERSONAL) == set(), (
        "say in a Part's `covers` how it is exported and erased, or here why it names nobody"
    )
    assert set(NOT_PERSONAL) <= found, "no such field any more"
    known = {f"{m._meta.app_label}.{m.__name__}.{f.name}" for m in apps.get_models() for f in m._meta.get_fields()}
    installed = {config.label for config in apps.get_app_configs()}
    assert {field for field in covered if field.split(".")[0] in installed} <= known, "no such field any more"


def test_a_new_relation_to_people_would_be_found(monkeypatch: pytest.MonkeyPatch):
    part = persons.parts()[0]
    monkeypatch.setattr(persons, "_parts", {part.name: part})
    covered = set(part.covers)
    assert "signalbox_rooms.Membership.user" in set(personal_fields()) - covered


# --- somebody who left traces everywhere ---


@pytest.fixture
def her(db: None) -> Any:
    return get_user_model().objects.create_user(NAME, f"{NEEDLE}@example.com", "her-password", first_name=NAME, last_name=f"{NAME}-Last")


@pytest.fixture
def traces(her: Any, alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """She has used everything that there is, where nothing goes out of the page."""
    monkeypatch.setattr(transports, "all_known", list)
    from dashboard import actions as boards
    from dashboard.models import Access, AlertRule, Dashboard, Favourite, Role, Widget
    from notifications import actions as notifications
    from notifications import preferences
    from notifications.models import KnownBrowser, Mute, PushSubscription
    from notifications.rooms import actions as rooms
    from notifications.rooms.models import Membership, Restriction, Room
    from notifications.rooms.people import Person
    from notifications.rooms.running import actions as running

    browser = Client(headers={"user-agent": f"{NAME}'s browser"})
    browser.force_login(her)
    browser.get("/accounts/sessions/")
    make_token(her, f"{NAME}'s token", ["notify:*"])
    Intent.objects.create(
        scope=f"user:{her.pk} /x", key=NAME, body_hash="", expires_at=timezone.now() + timedelta(days=1), result={"a": NAME}
    )
    Run.objects.create(key="r1", title="Import", audience=[f"user:{NAME}"], lease_until=timezone.now())
    shared = Run.objects.create(key="r2", title="Shared", audience=[f"user:{NAME}", "group:ops"], lease_until=timezone.now())
    user_type = ContentType.objects.get_for_model(get_user_model())
    LogEntry.objects.create(user=alice, content_type=user_type, object_id=str(her.pk), object_repr=NAME, action_flag=CHANGE)
    process = Process.objects.create(id="gone", expires_at=timezone.now() - timedelta(minutes=1))
    Presence.objects.create(process=process, channel="room:1", who=NAME)
    publish("presence:room.1", "presence", {"who": NAME}, key=NAME)

    room = rooms.open_room("club", title="Club", access=Room.Access.MEMBERS, owner=Person.of_user(her))
    running.invite(room, username="bob")
    said = rooms.post_message(room, author=Person.of_user(her), text="Hello @bob")
    theirs = rooms.post_message(room, author=Person.of_user(bob), text="Hello yourself")
    number_all()
    rooms.react(room, message_id=theirs.pk, by=Person.of_user(her), emoji="👍")
    other = rooms.open_room("other", title="Other", access=Room.Access.PUBLIC, owner=Person.of_user(alice))
    Restriction.objects.create(room=other, who=f"user:{her.pk}", name=NAME, kind="mute")
    Membership.objects.filter(user=her).update(last_read=1)

    notifications.notify([her], title=f"For {NAME} alone", body="x")
    notifications.notify([f"user:{NAME}", "user:bob"], title="For both")
    notifications.notify("user:bob", title="From her", key="k", sender=her)
    preferences.set_webhook(her, f"https://{NEEDLE}.example/hook", "plain")
    PushSubscription.objects.create(user=her, endpoint=f"https://push.example/{NAME}", endpoint_hash="h", device=NAME)
    KnownBrowser.objects.create(user=her, name=NAME)
    Mute.objects.create(user=her, channel=room.channel)

    board = boards.save_dashboard(Dashboard(slug="ops", title="Ops", access=Access.ROLES, owner=her))
    Role.objects.create(dashboard=board, user=her)
    Favourite.objects.create(dashboard=board, user=her)
    widget = boards.save_widget(Widget(dashboard=board, slug="queue", kind="stat", title="Queue"))
    rule = AlertRule.objects.create(widget=widget, name="High", condition="above", high=1, audience=[f"user:{NAME}", "owner"])
    boards.make_link(board, by=her)
    number_all()
    return {"said": said, "theirs": theirs, "room": room, "rule": rule, "shared": shared, "browser": browser, "board": board}


def where(needle: str) -> dict[str, int]:
    """The columns of all tables that hold this text, and in how many rows."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            for column in connection.introspection.get_table_description(cursor, table):
                name = connection.ops.quote_name(column.name)
                cursor.execute(
                    f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)} WHERE LOWER(CAST({name} AS TEXT)) LIKE %s", [f"%{needle}%"]
                )
                if count := cursor.fetchone()[0]:
                    found[f"{table}.{column.name}"] = count
    return found


def test_her_export_holds_what_is_stored_and_no_secret(her: Any, traces: Any):
    told = json.loads(json.dumps(persons.export(her), cls=DjangoJSONEncoder))
    assert set(told) >= {"made_at", "account", *PARTS}
    assert told["account"]["email"] == f"{NEEDLE}@example.com" and "password" not in told["account"]
    assert [row["text"] for row in told["rooms"]["messages"]] == ["Hello @bob"]
    assert {row["notification__title"] for row in told["notifications"]["inbox"]} == {f"For {NAME} alone", "For both"}
    assert told["notifications"]["devices"][0]["endpoint"].endswith(NAME)
    assert told["access"]["sign_ins"][0]["user_agent"] == f"{NAME}'s browser"
    assert told["boards"]["alerts"] == ["High"]
    everything = [value for part in PARTS for value in told[part].items()]
    assert [name for name, rows in everything if not rows] == [
        "profile", "admin_log", "deliveries", "broadcasts", "recurring_broadcasts", "preferences", "filters", "quiet_hours", "acknowledged",
    ]  # fmt: skip
    text = json.dumps(told)
    secret = traces["browser"].cookies
    assert not any(morsel.value in text for morsel in secret.values() if morsel.key.startswith("sessionid"))
    assert "p256dh" not in text and "secret" not in text and "digest" not in text


def test_nothing_in_any_table_names_her_any_more(her: Any, traces: Any):
    before = where(NEEDLE)
    assert len(before) > 15, before
    persons.erase(her)
    number_all()
    assert where(NEEDLE) == {}


def test_what_others_need_stays_by_a_removed_person(her: Any, alice: Any, bob: Any, traces: Any):
    pk = her.pk
    persons.erase(her)
    number_all()
    said = traces["said"]
    said.refresh_from_db()
    assert (said.user, said.name, said.text) == (None, "Removed person", "Hello @bob")
    assert said.author.startswith("removed:")
    page = Client()
    page.force_login(bob)
    shown = page.get("/rooms/club/").content.decode()
    assert "Removed person" in shown and NAME not in shown
    assert NAME not in page.get("/inbox/").content.decode()
    assert "Removed person mentioned you in Club" in page.get("/inbox/").content.decode()
    from notifications.models import Notification
    from notifications.rooms.models import Membership

    assert Membership.objects.get(room=traces["room"], user=bob).role == "owner"  # the room goes on
    titles = set(Notification.objects.values_list("title", flat=True))
    assert "For both" in titles and f"For {NAME} alone" not in titles
    assert Notification.objects.get(title="For both").audience == ["user:bob"]
    sent = Notification.objects.get(title="From her")
    assert sent.sender is None and sent.owner == said.author and sent.key == "k"
    traces["rule"].refresh_from_db()
    assert traces["rule"].audience == ["owner"]
    traces["shared"].refresh_from_db()
    assert traces["shared"].audience == ["group:ops"] and not Run.objects.filter(key="r1").exists()
    traces["board"].refresh_from_db()
    assert traces["board"].owner is None
    assert not traces["theirs"].reactions.exists()
    assert not get_user_model().objects.filter(pk=pk).exists()


def test_open_pages_are_told_in_the_place_of_what_they_show(her: Any, traces: Any):
    message, room = traces["said"], traces["room"]
    persons.erase(her)
    number_all()
    told = [json.loads(row.data) for row in Event.objects.filter(channel=room.channel, key=str(message.pk), type="message.put")]
    assert {data.get("name") for data in told if data} == {"Removed person"}
    assert told[-1]["offset"] == Event.objects.filter(channel=room.channel, key=str(message.pk)).order_by("offset").first().offset


def test_she_is_signed_out_and_her_pages_close(her: Any, traces: Any):
    pk = her.pk
    assert traces["browser"].get("/inbox/").status_code == 200
    before = Event.objects.filter(channel=authority.CHANNEL).count()
    persons.erase(her)
    assert traces["browser"].get("/inbox/").status_code == 302
    told = [
        json.loads(data) for data in Event.objects.filter(channel=authority.CHANNEL).order_by("id").values_list("data", flat=True)[before:]
    ]
    assert {"user": str(pk)} in told and any("session" in data for data in told)


def test_her_own_channels_are_empty_and_who_stood_there_resyncs(her: Any, traces: Any):
    name = f"user:{her.pk}"
    assert Channel.objects.get(name=name).head > 0
    persons.erase(her)
    assert not Event.objects.filter(channel=name).exists()
    channel = Channel.objects.get(name=name)
    assert channel.tail == channel.head + 1


def test_it_waits_until_her_pages_have_said_goodbye(her: Any, traces: Any):
    process = Process.objects.create(id="web", expires_at=timezone.now() + timedelta(minutes=1))
    presence.write("web", {("room:1", NAME): 1})
    waited: list[float] = []

    def goodbye(seconds: float) -> None:
        waited.append(seconds)
        presence.write("web", {("room:1", NAME): 0})

    persons.erase(her, sleep=goodbye)
    number_all()
    assert len(waited) == 1 and process.presences.count() == 0
    assert where(NEEDLE) == {}


def test_what_still_holds_on_to_her_is_named_and_nothing_is_half_done(her: Any, traces: Any, monkeypatch: pytest.MonkeyPatch):
    def protected(self: Any, *args: Any, **options: Any) -> None:
        raise models.ProtectedError("held", {Group.objects.create(name="invoices")})

    monkeypatch.setattr(type(her), "delete", protected)
    with pytest.raises(persons.NotErasable, match=r"Rows of auth\.Group hold on"):
        persons.erase(her)
    her.refresh_from_db()
    assert not her.is_active
    traces["said"].refresh_from_db()
    assert traces["said"].name == NAME


def test_somebody_whose_name_is_a_word_does_not_take_the_word_with_her(db: None):
    named_all = get_user_model()(pk=7, username="all")
    assert persons.words_without(["all", "user:all", "user:7", "user:70"], named_all) == ["all", "user:70"]


# --- the commands ---


def test_the_command_writes_her_export_for_its_owner_only(her: Any, traces: Any, tmp_path: Any, capsys: pytest.CaptureFixture[str]):
    call_command("export_person", NAME)
    assert json.loads(capsys.readouterr().out)["account"]["username"] == NAME
    file = tmp_path / "her.json"
    call_command("export_person", NAME, "--to", str(file))
    assert json.loads(file.read_text())["account"]["username"] == NAME
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(CommandError, match="exists"):
        call_command("export_person", NAME, "--to", str(file))


def test_the_command_erases_only_whom_it_is_told_twice(her: Any, traces: Any, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(CommandError, match=f"--yes {NAME}"):
        call_command("erase_person", NAME)
    with pytest.raises(CommandError, match=f"--yes {NAME}"):
        call_command("erase_person", NAME, "--yes", "bob")
    assert get_user_model().objects.filter(pk=her.pk).exists()
    call_command("erase_person", NAME, "--yes", NAME)
    assert "is gone" in capsys.readouterr().out
    with pytest.raises(CommandError, match="There is nobody"):
        call_command("erase_person", NAME, "--yes", NAME)
