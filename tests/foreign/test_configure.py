"""`signalbox.configure`: adds what is missing, keeps what is there, and says in one sentence what it cannot stand on."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.template import TemplateDoesNotExist, engines
from django.test import override_settings
from django.urls import clear_url_caches, include, path

import signalbox
import signalbox.settings as door
import signalbox.urls
from signalbox import checks

CONTRIB = [f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of somebody's project."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    return {
        "BASE_DIR": tmp_path,
        "SECRET_KEY": "theirs",
        "ROOT_URLCONF": "mysite.urls",
        "INSTALLED_APPS": [*signalbox.APPS, *CONTRIB],
        "MIDDLEWARE": ["django.middleware.security.SecurityMiddleware"],
        "TEMPLATES": [{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        "DATABASES": {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "shop"}},
    }


def test_what_the_project_set_stays(project: dict[str, Any]):
    project |= {"CREDIT": 1, "CHANNEL_LAYERS": {"default": {}}, "ASGI_APPLICATION": "shop.asgi.app", "OWN_PAGES_ONLY": False}
    before = dict(project)
    signalbox.configure(project)
    changed = {name for name in before if project[name] != before[name]}
    assert changed == {"MIDDLEWARE", "TEMPLATES"}
    assert set(before["MIDDLEWARE"]) < set(project["MIDDLEWARE"])
    assert project["TEMPLATES"][1:] == before["TEMPLATES"]


def test_what_is_djangos_is_not_set_by_us(project: dict[str, Any]):
    signalbox.configure(project)
    ours = {"SECRET_KEY", "LOGIN_URL", "SESSION_COOKIE_NAME", "ALLOWED_HOSTS", "DEBUG", "LOGGING", "STATIC_ROOT", "DEFAULT_FROM_EMAIL"}
    assert ours & set(project) == {"SECRET_KEY"}
    assert project["SECRET_KEY"] == "theirs"
    assert project["ASGI_APPLICATION"] == "mysite.asgi.application"


@pytest.mark.parametrize("name", ["notifications", "dashboard", "daphne", "django.contrib.admin"])
def test_an_app_that_is_missing_is_named(project: dict[str, Any], name: str):
    project["INSTALLED_APPS"] = [app for app in project["INSTALLED_APPS"] if app != name]
    with pytest.raises(ImproperlyConfigured, match=f"INSTALLED_APPS lacks {name}"):
        signalbox.configure(project)


def test_times_without_a_zone_are_refused(project: dict[str, Any]):
    with pytest.raises(ImproperlyConfigured, match="USE_TZ must be on"):
        signalbox.configure(project | {"USE_TZ": False})


def test_a_package_of_the_projects_that_is_called_like_ours_is_named(
    project: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "__init__.py").touch()
    found = importlib.util.spec_from_file_location("core", tmp_path / "core" / "__init__.py")
    monkeypatch.setattr(door, "find_spec", lambda name: found if name == "core" else importlib.util.find_spec(name))
    with pytest.raises(ImproperlyConfigured, match=r"'core' is another one here \(.*/core/__init__\.py\)"):
        signalbox.configure(project)


def test_files_are_served_once_where_the_project_has_whitenoise(project: dict[str, Any]):
    project["MIDDLEWARE"].append("whitenoise.middleware.WhiteNoiseMiddleware")
    signalbox.configure(project)
    assert "core.static_files.StaticFiles" not in project["MIDDLEWARE"]


def test_sqlite_waits_for_its_one_writer_unless_told_otherwise(project: dict[str, Any]):
    lite = {"ENGINE": "django.db.backends.sqlite3", "NAME": "x", "OPTIONS": {"timeout": 99}}
    project["DATABASES"] = {"default": lite}
    signalbox.configure(project)
    options = project["DATABASES"]["default"]["OPTIONS"]
    assert (options["transaction_mode"], options["timeout"]) == ("IMMEDIATE", 99)


def test_signing_in_is_the_projects_where_it_says_so():
    def names() -> set[str]:
        return {one.name for one in importlib.reload(signalbox.urls).urlpatterns[0].url_patterns}

    try:
        with override_settings(LOGIN_URL="/enter/"):
            assert names() >= {"sessions", "theme"}
            assert not names() & {"login", "logout", "password_change"}
    finally:
        assert "login" in names()


@override_settings(TEMPLATES=[door._engine()])
def test_our_templates_answer_to_our_names_only():
    ours = engines["signalbox"]
    assert "Signalbox" in ours.get_template("core/login.html").render({"form": None, "next": ""})
    assert "One moment" in ours.get_template("core/unavailable.html").render({})
    for name in ("base.html", "404.html", "admin/base_site.html", "registration/login.html"):
        with pytest.raises(TemplateDoesNotExist):
            ours.get_template(name)


def test_addresses_that_are_called_alike_are_named_unless_they_are_the_same():
    def view(request: Any) -> None: ...

    class Theirs:
        urlpatterns = [
            path("messages/", view, name="inbox"),
            path("accounts/login/", view, name="login"),
            path("shop/", include(([path("theme/", view, name="theme")], "shop"))),
            path("", include("signalbox.urls")),
        ]

    with override_settings(ROOT_URLCONF=Theirs):
        (found,) = checks.check_names()
        assert (found.id, found.msg.rpartition(": ")[2]) == ("signalbox.W011", "inbox.")
        Theirs.urlpatterns = Theirs.urlpatterns[1:]
        clear_url_caches()
        assert checks.check_names() == []
