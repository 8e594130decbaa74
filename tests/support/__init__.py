"""What several tests share: wheels built in memory, servers on loopback."""
