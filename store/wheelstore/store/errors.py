"""The root of every error that the store and what stands on it raise for bad input or a bad disk."""


class StoreError(Exception):
    """Something the user can act on; ``str()`` is one line, ``hint`` says what to do.

    Subclasses keep their data on attributes and derive the text in ``__str__``.
    """

    hint: str | None = None
