"""The `operationId` of a route: the name of its view, under which generated clients offer it.

The calls that are there under OpenAI's name too say `batch` where their view says `job`:
`create_job` and `create_batch`, `get_results` and `get_batch_results`.
"""

_ALIAS = "batches"
# Words that a name begins with, before what it is about.
_FIRST_WORDS = frozenset({"get", "get_one", "delete_one", "revoke_one"})


def operation_id(endpoint: str) -> str:
    """Name a route by its endpoint in Flask, such as `batches_children.rerun_job`."""
    blueprint, _, view = endpoint.rpartition(".")
    if not blueprint.startswith(_ALIAS):
        return view
    if "job" in view:
        return view.replace("jobs", "batches").replace("job", "batch")
    first = max((each for each in _FIRST_WORDS if view.startswith(f"{each}_")), key=len)
    return f"{first}_batch{view.removeprefix(first)}"
