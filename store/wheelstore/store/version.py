"""The version of wheelstore, as a constant: asking `importlib.metadata` for it takes longer than a sync.

The one place where it stands; the build reads it from here.
"""

VERSION = "0.1.0"
