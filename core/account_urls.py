from django.contrib.auth import views as auth
from django.urls import path

from core import person_pages, views

urlpatterns = [
    path("login/", views.SignInPage.as_view(), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password_change/", views.PasswordChange.as_view(), name="password_change"),
    path("password_change/done/", views.PasswordChanged.as_view(), name="password_change_done"),
    path("sessions/", views.sessions, name="sessions"),
    path("sessions/<int:pk>/end/", views.end_session, name="session_end"),
    path("sessions/end-others/", views.end_other_sessions, name="sessions_end_others"),
    path("data/", person_pages.own_data, name="own_data"),
    path("data/copy/", person_pages.own_copy, name="own_copy"),
    path("theme/", views.choose_theme, name="theme"),
]
