"""What holds for every test."""

from hypothesis import HealthCheck, settings

# Machines that run tests are shared, so a slow example is no failure.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")
