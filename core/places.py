"""Where our own files lie: beside the packages in a checkout, inside core/packed in an installed wheel (made by scripts/wheel.py)."""

from pathlib import Path

CODE = Path(__file__).resolve().parent.parent
PACKED = CODE / "core" / "packed"
# Package -> (folder, pattern of file names). A package may hold scripts and pages of its own: nothing is served that is not named here.
SERVED: dict[str, tuple[tuple[str, str], ...]] = {
    "htmx.org": (("dist", "htmx.min.js"), ("dist/ext", "hx-upsert.min.js")),
    "uplot": (("dist", "uPlot.iife.min.js"), ("dist", "uPlot.min.css")),
    "@picocss/pico": (("css", "pico.classless.min.css"), ("css", "pico.min.css")),
    "@fontsource-variable/inter": ((".", "*.css"), ("files", "inter-*.woff2")),
    "lucide-static": (("icons", "*.svg"),),
}


def is_packed() -> bool:
    """Whether this is an installed wheel, which lacks nothing, and not a checkout, whose packages npm fetches."""
    return PACKED.is_dir()


def templates_folder() -> Path:
    return (PACKED if is_packed() else CODE) / "templates"


def packages_folder() -> Path:
    """The front-end packages, each in a folder of its own name."""
    return (PACKED if is_packed() else CODE) / "node_modules"


def source_folders() -> list[Path]:
    """Everything that a page is made of."""
    return [templates_folder(), *(CODE / name for name in ("core", "dashboard", "notifications"))]
