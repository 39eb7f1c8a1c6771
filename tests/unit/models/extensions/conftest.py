"""Modules that a test makes."""

from tests.own_modules import new_module

__all__ = ["new_module"]
