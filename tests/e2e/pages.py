"""Which pages there are, by the name of their picture: what `make shots` shows and what axe looks at."""

GUEST = {"login": "/accounts/login/", "guest-home": "/", "not-found": "/no/such/page/", "offline": "/offline/", "api": "/api/v1/docs"}
PERSON = {
    "home": "/",
    "dashboards": "/dashboards/",
    "dashboard": "/dashboards/this-machine/",
    "kiosk": "/dashboards/this-machine/?kiosk=1",
    "table": "/dashboards/this-machine/usage/table/",
    "new-dashboard": "/dashboards/new/",
    "edit-dashboard": "/dashboards/this-machine/edit/",
    "edit-widget": "/dashboards/this-machine/edit/usage/",
    "share-dashboard": "/dashboards/this-machine/share/",
    "alerts": "/dashboards/this-machine/cpu/alerts/",
    "alert": "/dashboards/this-machine/cpu/alerts/new/",
    "inbox": "/inbox/",
    "filtered-inbox": "/inbox/?q=is%3Aunread+finished",
    "filters": "/inbox/filters/?q=is%3Aunread+finished",
    "notification": "/inbox/1/",
    "rooms": "/rooms/",
    "room": "/rooms/lobby/",
    "new-room": "/rooms/new/",
    "echo": "/rooms/echo/",
    "preferences": "/preferences/",
    "device": "/preferences/device/",
    "sessions": "/accounts/sessions/",
    "own-data": "/accounts/data/",
    "password": "/accounts/password_change/",
    "admin": "/admin/",
    "broadcast": "/admin/signalbox_notifications/broadcast/add/",
    "living": "/admin/live/",
    "person": "/admin/people/2/",
}
DEVELOPER = {"styleguide": "/styleguide/"}
WIDTHS = {390: 844, 768: 1024, 1360: 860}
THEMES = ("light", "dark")
