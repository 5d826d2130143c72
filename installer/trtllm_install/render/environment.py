"""The one Jinja environment: strict, without logic beyond loops and simple conditions."""

from functools import cache
from typing import TYPE_CHECKING

from trtllm_install import resources

if TYPE_CHECKING:
    import jinja2


@cache
def _environment() -> "jinja2.Environment":
    import jinja2  # noqa: PLC0415 (30 ms that `--help` and `status` need not pay)

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resources.root() / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 (unit files and nginx.conf are not HTML)
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_template(name: str, **context: object) -> str:
    """Return the text of ``templates/<name>`` filled with ``context``.

    Raises jinja2.UndefinedError when the template names what the context lacks.
    """
    return _environment().get_template(name).render(**context)
