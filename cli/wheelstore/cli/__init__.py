"""The command line; the only portion that reads the environment, the terminal and the clock."""
