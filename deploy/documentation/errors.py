"""The codes of errors: of answers, of jobs that failed as a whole, of items, of models."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

from api.page.reasons import REMEDIES
from api.web.problems import HTTP_CODES
from deploy.documentation.tables import table
from deploy.documentation.what_to_do import OF_ANSWERS, OF_JOBS, OF_MODELS
from jobs.base.errors import PixelmillError

_HOUSE = Path(__file__).parents[2]
# Whose first argument is a code.
_ERRORS = frozenset({"ItemError", "ArchiveError", "ReaderLost", "BucketError"})
# Codes that nobody is shown: a shard that was told to stop is run again.
_UNSEEN = frozenset({"stopped", "size_unknown", "model_error"})

_INTRODUCTION = """\
# Error codes

A code is stable and made for programs; the sentence beside it, `detail` of an answer and `message`
of an item, is for people: it says what was wrong, where, and what to do. Answers of errors are
`application/problem+json` (RFC 9457) with an `error` member as OpenAI's clients read it. Where a
retry helps, `Retry-After` says when; repeat submissions under the same `Idempotency-Key`.
"""

_ITEMS = """\
A job with such items is `completed`; `pixelmill results JOB --failed` lists them, and
`pixelmill retry JOB` runs them once more. An item's `retryable` says whether that may help.
"""

_JOBS = "The job is `failed`, no item has run, and `errors` lists each fault with its line."

_MODELS = (
    "A version is `refused`, a training or an evaluation has failed, or a parameter is no good."
)


def errors_page() -> str:
    """Give every code; raises LookupError for one in the code of which nothing is said."""
    said = {*OF_ANSWERS, *OF_JOBS, *OF_MODELS, *REMEDIES}
    if missing := codes_in_the_code() - said - _UNSEEN:
        raise LookupError(f"say what to do about {sorted(missing)}: deploy/documentation/")
    sections = [
        _INTRODUCTION,
        f"## Of answers\n\n{_answers()}\n",
        f"## Of jobs\n\n{_JOBS}\n\n{_table(OF_JOBS)}\n",
        f"## Of items\n\n{_ITEMS}\n{_table(REMEDIES)}\n",
        f"## Of models\n\n{_MODELS}\n\n{_table(OF_MODELS)}\n",
    ]
    return "\n".join(sections)


def _table(remedies: Mapping[str, str]) -> str:
    rows = [[f"`{code}`", text] for code, text in sorted(remedies.items())]
    return table(["code", "what to do"], rows)


def _answers() -> str:
    rows = {"internal_error": ["500", "no", "Something went wrong in the server."]}
    rows |= {
        each.code: [str(each.status), "yes" if each.retryable else "no", _first_line(each)]
        for each in _tree(PixelmillError)
        if each is not PixelmillError and each.code in OF_ANSWERS
    }
    for status, code in HTTP_CODES.items():
        rows.setdefault(code, [str(status), "no", "The request cannot be read as HTTP has it."])
    ordered = sorted(rows.items(), key=lambda row: (row[1][0], row[0]))
    head = ["code", "status", "retry helps", "what happened", "what to do"]
    return table(head, [[f"`{code}`", *row, OF_ANSWERS[code]] for code, row in ordered])


def _tree(error: type[PixelmillError]) -> Iterator[type[PixelmillError]]:
    yield error
    for each in error.__subclasses__():
        yield from _tree(each)


def _first_line(error: type) -> str:
    return (inspect.getdoc(error) or "").splitlines()[0]


def codes_in_the_code() -> set[str]:
    """Give each code that is written in the packages, wherever an error is made of one."""
    files = [
        path for package in ("api", "jobs", "models", "workers")
        for path in (_HOUSE / package).rglob("*.py")
    ]  # fmt: skip
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8"))))
    return {code for node in nodes for code in _codes_of(node)}


def _codes_of(node: ast.AST) -> Iterator[str]:
    values: list[ast.expr] = []
    if isinstance(node, ast.Call):
        values += [each.value for each in node.keywords if each.arg == "code"]
        if isinstance(node.func, ast.Name) and node.func.id in _ERRORS:
            values += node.args[:1]
    elif isinstance(node, ast.Assign) and _names(node) == {"code"}:
        values.append(node.value)
    for each in values:
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def _names(node: ast.Assign) -> set[str]:
    return {each.id for each in node.targets if isinstance(each, ast.Name)}
