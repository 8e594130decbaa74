"""The `store` command's front door."""


def main() -> int:
    """Run the command line; the process's exit status."""
    return 0
