"""Where our own files lie: beside the packages in a checkout, inside core/packed in an installed wheel (made by scripts/wheel.py)."""

from pathlib import Path

CODE = Path(__file__).resolve().parent.parent
PACKED = CODE / "core" / "packed"


def templates_folder() -> Path:
    return (PACKED if PACKED.is_dir() else CODE) / "templates"


def packages_folder() -> Path:
    """The front-end packages, each in a folder of its own name."""
    return (PACKED if PACKED.is_dir() else CODE) / "node_modules"


def source_folders() -> list[Path]:
    """Everything that a page is made of."""
    return [templates_folder(), *(CODE / name for name in ("core", "dashboard", "notifications"))]
