"""Loaded by schemathesis (SCHEMATHESIS_HOOKS), so that its calls do not stand in each other's way.

The document's own example of an Idempotency-Key is another one in each call: else all but the first would only hear that it belongs to
another body. And the example of a broadcast is one that can still be paused, resumed or cancelled, whatever was called before.
"""

import itertools
from typing import Any

import schemathesis

from tests.support.fuzzed import BROADCASTS, EXAMPLE

_numbers = itertools.count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    if case.headers and case.headers.get("Idempotency-Key") == "deploy-42":
        case.headers["Idempotency-Key"] = f"deploy-42-{next(_numbers)}"
    verb = case.path.rsplit("/", 1)[-1]
    if verb in BROADCASTS and (case.path_parameters or {}).get("id") == EXAMPLE:
        case.path_parameters["id"] = BROADCASTS[verb]
