"""Static files from the finders, served by the web process itself wherever no nginx stands in front of it."""

from io import BytesIO

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Whitenoise that stays out of the way: pages pass it on the event loop, files are read in a thread of their own."""

    sync_capable = async_capable = True

    def __init__(self, get_response):  # type: ignore[no-untyped-def]
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest):  # type: ignore[no-untyped-def]
        if iscoroutinefunction(self):
            return self._answer(request)
        return self._file(request) or self.get_response(request)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        # Not on the thread that the views share: a slow page would hold up the style sheet of the next one.
        found = request.path_info.startswith(self.static_prefix) and await sync_to_async(self._file, thread_sensitive=False)(request)
        return found or await self.get_response(request)

    def _file(self, request: HttpRequest) -> HttpResponse | None:
        """The whole file as one answer: Django would stream it through a thread hop for each 4 KiB."""
        if not request.path_info.startswith(self.static_prefix):
            return None
        file = self.find_file(request.path_info)
        if file is None:
            return None
        found = file.get_response(request.method, request.META)
        # Read here: closing Django's own FileResponse would announce the end of the request, a second time.
        with found.file or BytesIO() as content:
            answer = HttpResponse(content.read(), status=int(found.status), headers=dict(found.headers))
        if not any(name.lower() == "content-type" for name, _ in found.headers):
            del answer["Content-Type"]
        return answer
