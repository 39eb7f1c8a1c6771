"""Modules that a test makes."""

from tests.model_files.own_modules import new_module

__all__ = ["new_module"]
