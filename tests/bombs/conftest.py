"""What the tests of whole stacks have."""

from tests.e2e.conftest import digits_folder

__all__ = ["digits_folder"]
