"""The pages of personal data: her own copy; in the admin, a copy of somebody's and her erasure: docs/personal-data.md."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from core import persons
from core.rates import Rate

EXPORT, ERASE = "signalbox.export_people", "signalbox.erase_people"
COPIES = Rate(1 / 60, 3)  # of one person: reading all that is hers is work


# --- her own ---


@login_required
@require_safe
def own_data(request: HttpRequest) -> HttpResponse:
    """What is stored about her, in numbers, and the way to a copy of it."""
    request.live.read()  # type: ignore[attr-defined]
    return render(request, "core/own_data.html", {"parts": persons.numbers(request.user)})


@login_required
@require_GET
def own_copy(request: HttpRequest) -> HttpResponse:
    """The copy itself, as a file; a few in a row at most."""
    if seconds := COPIES.take(str(request.user.pk)):
        answer = HttpResponse(f"Try again in {seconds:.0f} seconds.", status=429, content_type="text/plain")
        answer.headers["Retry-After"] = str(round(seconds) + 1)
        return answer
    return _file(request.user)


def _file(user: Any) -> HttpResponse:
    name = content_disposition_header(as_attachment=True, filename=f"signalbox-{user.get_username()}.json")
    options = {"indent": 2, "ensure_ascii": False}
    headers = {"Content-Disposition": name or "attachment", "Cache-Control": "no-store"}
    return JsonResponse(persons.export(user), encoder=DjangoJSONEncoder, json_dumps_params=options, headers=headers)


# --- in the admin ---


@require_http_methods(["GET", "HEAD", "POST"])
def person(request: HttpRequest, user: str) -> HttpResponse:
    """Somebody's data in numbers; posted with her user name, she is erased."""
    if not (request.user.has_perm(EXPORT) or request.user.has_perm(ERASE)):
        raise PermissionDenied
    her = _person(user)
    if request.method == "POST":
        return _erased(request, her)
    return _page(request, her)


@require_safe
def copy(request: HttpRequest, user: str) -> HttpResponse:
    """The copy of somebody's data, for her."""
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    return _file(_person(user))


def _page(request: HttpRequest, her: Any, *, wrong: str = "", status: int = 200) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": f"Data of {her.get_username()}",
        "person": her,
        "parts": persons.numbers(her),
        "may_export": request.user.has_perm(EXPORT),
        "may_erase": _may_erase(request, her),
        "wrong": wrong,
    }
    return TemplateResponse(request, "admin/signalbox/person.html", context, status=status)


def _may_erase(request: HttpRequest, her: Any) -> bool:
    """Superusers are erased by superusers; nobody pulls the chair from under herself."""
    return request.user.has_perm(ERASE) and her.pk != request.user.pk and (request.user.is_superuser or not her.is_superuser)


def _erased(request: HttpRequest, her: Any) -> HttpResponse:
    if not _may_erase(request, her):
        raise PermissionDenied
    name = her.get_username()
    if request.POST.get("name") != name:
        return _page(request, her, wrong="That is not her user name. Nothing was erased.", status=422)
    try:
        persons.erase(her)
    except persons.NotErasable as error:
        return _page(request, her, wrong=str(error), status=409)
    messages.success(request, f"Erased: {name}. Backups still hold her until they are thrown away.")
    return redirect("admin:index")


def _person(written: str) -> Any:
    """The person of that primary key, whatever kind of key it is; 404 where there is none."""
    model = get_user_model()
    try:
        found = model._default_manager.filter(pk=model._meta.pk.to_python(written)).first()
    except (ValidationError, OverflowError):
        found = None
    if found is None:
        raise Http404
    return found
