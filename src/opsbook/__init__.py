"""A team's operations guide, running."""

__version__ = "0.1.0"
