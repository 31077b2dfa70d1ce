"""Boards as text: YAML or JSON in and out, checked with line numbers. docs/dashboards.md."""
