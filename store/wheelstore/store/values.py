# ruff: noqa: ANN001, ANN002, ANN003, ANN202, ANN204, ANN206, RUF012 - type checkers do not see the class here
"""Named tuples for the warm path: `typing.NamedTuple` to type checkers, and to Python a class that imports nothing.

Importing `typing` takes 8 ms and `dataclasses` 6 ms in a process that otherwise takes 5 ms to find that an environment
is up to date (``-X importtime``, Python 3.11, where starting Python takes 12 ms).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class NamedTuple(tuple):
        """What instances of a `typing.NamedTuple` can do: fields with defaults, equality, order, `_replace`."""

        _fields = __match_args__ = ()
        _defaults = {}

        def __init_subclass__(cls):
            """Turn the annotated names of the class body into fields; a class without any keeps its base's."""
            if not cls.__annotations__:
                return
            cls._fields = cls.__match_args__ = tuple(cls.__annotations__)
            cls._defaults = {name: cls.__dict__[name] for name in cls._fields if name in cls.__dict__}
            for position, name in enumerate(cls._fields):
                setattr(cls, name, property(lambda self, position=position: self[position]))

        def __new__(cls, *values, **named):
            """Take the fields by position, then by name, then their defaults."""
            missing = cls._fields[len(values) :]
            if missing or named:
                try:
                    values += tuple(named.pop(name) if name in named else cls._defaults[name] for name in missing)
                except KeyError as error:
                    raise TypeError(f"{cls.__name__}: {error} is missing") from None
            if named or len(values) != len(cls._fields):
                raise TypeError(f"{cls.__name__} has the fields {', '.join(cls._fields)}")
            return tuple.__new__(cls, values)

        def __repr__(self):
            """Show the fields by name."""
            fields = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({fields})"

        def __getnewargs__(self):
            """Pickle as a plain tuple of values."""
            return tuple(self)

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def _replace(self, **changed):
            return type(self)(**{**self._asdict(), **changed})


__all__ = ["NamedTuple"]
