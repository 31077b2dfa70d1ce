"""Rule 11: apps publish only in their `actions`; the core only in authority, presence and the API."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CORE = {"core/delivery/authority.py", "core/delivery/presence.py", "core/delivery/publishing.py", "core/api.py"}
DOORS = ("publish", "publish_many", "apublish", "apublish_many", "broadcast_unstored")


def _publishes(path: Path) -> bool:
    imported = [line for line in path.read_text().splitlines() if "core.delivery.publishing import" in line or "import publishing" in line]
    words = {word for line in imported for word in line.replace(",", " ").split()}
    return bool(words & {*DOORS, "publishing"})


def test_whoever_publishes_is_one_of_the_actions() -> None:
    files = [path for package in ("core", "notifications", "dashboard", "workers") for path in (ROOT / package).glob("**/*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if _publishes(path)}
    assert len(found) > 8, "the search finds nothing any more"
    assert [name for name in sorted(found - CORE) if not name.endswith("/actions.py") and "/actions/" not in name] == []
