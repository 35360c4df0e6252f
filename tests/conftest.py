"""What holds for all tests, and the database servers that those of several rooms use."""

from hypothesis import HealthCheck, settings

from tests.databases import mariadb, postgresql, server

__all__ = ["mariadb", "postgresql", "server"]

# A property holds however long an example takes: a busy machine fails no test.
settings.register_profile(
    "timeless", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("timeless")
