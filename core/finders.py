"""Front-end packages of `node_modules`, served under `npm/<package>/...`: the files that pages use, and nothing else."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.files.storage import FileSystemStorage

from core.places import SERVED, packages_folder

PREFIX = "npm/"


class NpmFinder(BaseFinder):
    """Finds what SERVED names, for pages in `{% static 'npm/...' %}` and for collectstatic."""

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        if packages_folder().is_dir():
            return []
        return [CheckWarning("The front-end packages are missing.", hint="Run `python manage.py prepare`.", id="signalbox.W001")]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = self._find(path)
        # Django counts a None as a file that was found; an empty list is what it takes for "not mine".
        return found if found and not (find_all or kwargs.get("all")) else [found] if found else []

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, FileSystemStorage]]:
        for package, files in SERVED.items():
            storage = FileSystemStorage(location=packages_folder() / package)
            storage.prefix = PREFIX + package  # type: ignore[attr-defined]
            for folder, pattern in files:
                for file in sorted((packages_folder() / package / folder).glob(pattern)):
                    yield str(file.relative_to(storage.location)), storage

    def _find(self, path: str) -> str | None:
        """The file behind `npm/<package>/<folder>/<name>`. Compares whole folders, so `..` never names one."""
        if not path.startswith(PREFIX):
            return None
        for package, files in SERVED.items():
            if not path.startswith(f"{PREFIX}{package}/"):
                continue
            folder, _, name = path.removeprefix(f"{PREFIX}{package}/").rpartition("/")
            file = packages_folder() / package / folder / name
            if any(folder == (f if f != "." else "") and fnmatchcase(name, pattern) for f, pattern in files) and file.is_file():
                return str(file)
        return None
