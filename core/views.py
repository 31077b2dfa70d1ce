"""The pages of the shell: home, a person's account, the style guide."""

import math
from typing import Any

from django.conf import settings
from django.contrib.auth import views as auth
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from core import attempts, browsers, home, signins
from core.models import Profile, SignIn


@require_GET
def home_page(request: HttpRequest) -> HttpResponse:
    """The tiles that the apps bring: of a signed-in person hers, of a guest what guests may see."""
    request.live.read()  # type: ignore[attr-defined]
    return render(request, "core/home.html", {"tiles": home.tiles(request)})


class SignInPage(auth.LoginView):
    """Sign in. Too many failures, by name or address, are answered with 429 before the password is looked at."""

    template_name = "core/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        name, address = request.POST.get("username", ""), request.META.get("REMOTE_ADDR", "")
        if seconds := math.ceil(attempts.wait(name, address)):
            return self._too_many(seconds)
        answer = super().post(request, *args, **kwargs)
        if not request.user.is_authenticated:
            attempts.failed(name, address)
        return answer

    def _too_many(self, seconds: int) -> HttpResponse:
        form = self.form_class(self.request)
        error = f"Too many attempts. Try again in {seconds} seconds."
        answer = self.render_to_response(self.get_context_data(form=form, error=error), status=429)
        answer.headers["Retry-After"] = str(seconds)
        return answer


def admin_sign_in(request: HttpRequest, extra_context: Any = None) -> HttpResponse:
    """The admin has no form of its own: everybody signs in at one place, and who is no staff finds nothing here."""
    if request.user.is_authenticated:
        raise Http404
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


class PasswordChange(auth.PasswordChangeView):
    template_name = "core/password_change_form.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.live.read()  # type: ignore[attr-defined]
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        old_key = self.request.session.session_key or ""
        response = super().form_valid(form)
        signins.keep_after_password_change(self.request, old_key=old_key, now=timezone.now())
        return response


class PasswordChanged(auth.PasswordChangeDoneView):
    template_name = "core/password_change_done.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request.live.read()  # type: ignore[attr-defined]
        return super().dispatch(request, *args, **kwargs)


@login_required
@require_GET
def sessions(request: HttpRequest) -> HttpResponse:
    """Where this person is signed in, each with a button that ends it."""
    request.live.read()  # type: ignore[attr-defined]
    now = timezone.now()
    signins.note_use(request, now=now)
    rows = [
        {"sign_in": one, "browser": browsers.named(one.user_agent), "this": one.session_key == request.session.session_key}
        for one in signins.of(request.user, now=now)
    ]
    return render(request, "core/sessions.html", {"rows": sorted(rows, key=lambda row: not row["this"])})


@login_required
@require_POST
def end_session(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of this person's own sessions; a stranger's is not there."""
    me: Any = request.user
    signins.end([get_object_or_404(SignIn, pk=pk, user=me)])
    return redirect("sessions")


@login_required
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    me: Any = request.user
    others = SignIn.objects.filter(user=me).exclude(session_key=request.session.session_key)
    signins.end(list(others))
    return redirect("sessions")


@login_required
@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Keep "light", "dark" or "auto" for this person and go back to where she was."""
    chosen = request.POST.get("theme", "")
    if chosen not in dict(Profile.THEMES):
        return HttpResponse("theme is one of light, dark, auto", status=422, content_type="text/plain")
    me: Any = request.user
    Profile.objects.update_or_create(user=me, defaults={"theme": chosen})
    return HttpResponseRedirect(_own_address(request, request.POST.get("next", "/")))


def _own_address(request: HttpRequest, address: str) -> str:
    """This address if it leads to ourselves, else home."""
    ours = url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return address if ours else "/"


@require_GET
def style_guide(request: HttpRequest) -> HttpResponse:
    """Every component in every state, with invented data. Only with DEBUG=1."""
    if not settings.DEBUG:
        raise Http404
    request.live.read()  # type: ignore[attr-defined]
    return render(request, "core/styleguide.html", {"series": range(1, 7)})


@require_GET
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for this on pages that name no icon, such as the admin's."""
    return redirect(static("core/icon.svg"), permanent=True)


@require_GET
def offline(request: HttpRequest) -> HttpResponse:
    """What a service worker shows without network."""
    return render(request, "offline.html")
