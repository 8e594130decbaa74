"""The root of every error of the resolve stage."""


class ResolveError(Exception):
    """Something the user can act on; ``str()`` is one line, ``hint`` says what to do.

    Subclasses keep their data on attributes and derive the text in ``__str__``.
    """

    hint: str | None = None
