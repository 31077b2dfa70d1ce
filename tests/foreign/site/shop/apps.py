from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "shop"

    def ready(self):
        from notifications.signals import notify_on
        from shop.models import Order

        notify_on(Order, audience="user:anna", title=str, url="/")
