"""Files of the processes are their own user's: databases and blobs hold tenants' secrets."""

import os


def keep_files_private() -> None:
    """Have all files and folders that this process makes be its user's alone, and its children's.

    To be called once, by what starts a process.
    """
    os.umask(0o077)
