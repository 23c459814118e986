"""Fill the report's templates: the only place where text becomes HTML.

A run may come from an untrusted store, so every value is escaped. A value that a template names
but does not get is an error instead of an empty text.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def environment() -> Environment:
    """Make the environment of all templates of this package."""
    return Environment(
        loader=PackageLoader("arena.monitor.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render(template: str, **values: object) -> str:
    """Fill a template of `templates/`; raises jinja2.UndefinedError where a value is missing."""
    return environment().get_template(template).render(**values)
