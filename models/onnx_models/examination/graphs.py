"""The operators of a parsed ONNX file, all of them looked at and counted.

Everything is walked: the graph, the graphs inside its nodes (If, Loop, Scan), and the file's own
functions. Functions are counted as often as they would be written out: a few of them that call
each other ten times each make a graph of millions of nodes.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from models.onnx_models.examination.tensors import check_tensor
from models.onnx_models.examination.wording import shown
from models.records.errors import WeightsError

MOST_NODES = 100_000
DEEPEST = 8
MOST_FUNCTIONS = 1_000
LONGEST_CALLS = 32

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})

_PATH = re.compile(rb"^(?:/|~/|\\\\|[A-Za-z]:[\\/]|file:)|(?:^|[\\/])\.\.[\\/]")

# Domain, name and overload of a function.
_Key = tuple[str, str, str]


def count_operators(model: Any) -> int:
    """Give how many operators an onnx.ModelProto has, with its functions written out.

    Raises WeightsError for the first thing that is refused.
    """
    return _Walk(model.functions).count(model.graph)


class _Walk:
    """Looks at every node, and counts."""

    def __init__(self, functions: Any) -> None:
        if len(functions) > MOST_FUNCTIONS:
            raise WeightsError(
                f"The model has {len(functions):,} functions of its own; at most "
                f"{MOST_FUNCTIONS:,} are taken. Write them out with onnx.inliner."
            )
        self._functions: dict[_Key, Any] = {
            (each.domain, each.name, each.overload): each for each in functions
        }
        self._counted: dict[_Key, int] = {}
        # How far down calls go below each, and below those that are being looked at.
        self._heights: dict[_Key, int] = {}
        self._calling: dict[_Key, int] = {}
        self._nodes = 0

    def count(self, graph: Any) -> int:
        """Count the nodes below a graph; functions that nobody calls are looked at too."""
        for key in self._functions:
            self._function(key)
        return self._graph(graph, 1)

    def _graph(self, graph: Any, depth: int) -> int:
        if depth > DEEPEST:
            raise WeightsError(
                f"The model nests graphs in graphs more than {DEEPEST} deep; export it without "
                "conditions and loops, or with fewer of them inside each other."
            )
        _refuse_many("initializers", len(graph.initializer))
        _refuse_many("notes of shapes", len(graph.value_info))
        for tensor in graph.initializer:
            check_tensor(tensor, f"The model's initializer {shown(tensor.name)}")
        for sparse in graph.sparse_initializer:
            _check_sparse(sparse, f"The model's initializer {shown(sparse.values.name)}")
        return self._body(graph.node, depth)

    def _body(self, nodes: Any, depth: int) -> int:
        # How many are looked at, and how many they become: functions are looked at once.
        self._nodes += len(nodes)
        _refuse_many("nodes", self._nodes)
        total = len(nodes)
        for node in nodes:
            total += self._node(node, depth)
            _refuse_many("nodes with its functions written out", total)
        return total

    def _node(self, node: Any, depth: int) -> int:
        key = (node.domain, node.op_type, node.overload)
        called = self._call(key) if key in self._functions else 0
        if key not in self._functions and node.domain not in DOMAINS:
            raise WeightsError(
                f"The model uses the operator {shown(node.op_type)} of {shown(node.domain)}, and "
                "only standard operators are run (ai.onnx, ai.onnx.ml). Export it without custom "
                "operators, and before onnxruntime has optimized it."
            )
        where = f"A tensor of the model's node {shown(node.name or node.op_type)}"
        inside = sum(self._attribute(each, where, depth) for each in node.attribute)
        return called + inside

    def _attribute(self, attribute: Any, where: str, depth: int) -> int:
        for tensor in _present(attribute, "t", "tensors"):
            check_tensor(tensor, where)
        for sparse in _present(attribute, "sparse_tensor", "sparse_tensors"):
            _check_sparse(sparse, where)
        if attribute.HasField("s") and _PATH.search(attribute.s):
            raise WeightsError(
                f"The model's attribute {shown(attribute.name)} names a path, "
                f"{shown(attribute.s)}; a model reads no files. Export it without."
            )
        return sum(self._graph(each, depth + 1) for each in _present(attribute, "g", "graphs"))

    def _call(self, key: _Key) -> int:
        """Count what a call of a function becomes, and note how far down it goes."""
        count = self._function(key)
        if self._calling:
            caller = next(reversed(self._calling))
            self._calling[caller] = max(self._calling[caller], self._heights[key])
        return count

    def _function(self, key: _Key) -> int:
        if key in self._counted:
            return self._counted[key]
        if key in self._calling:
            raise WeightsError(
                f"The model's function {shown(key[1])} calls itself; export it without."
            )
        self._refuse_long_calls(key, len(self._calling))
        self._calling[key] = 0
        function = self._functions[key]
        where = f"A default of the model's function {shown(key[1])}"
        inside = sum(self._attribute(each, where, 1) for each in function.attribute_proto)
        self._counted[key] = inside + self._body(function.node, 1)
        self._heights[key] = 1 + self._calling.pop(key)
        self._refuse_long_calls(key, self._heights[key])
        return self._counted[key]

    def _refuse_long_calls(self, key: _Key, calls: int) -> None:
        if calls > LONGEST_CALLS:
            raise WeightsError(
                f"The model's functions call each other more than {LONGEST_CALLS} deep, at "
                f"{shown(key[1])}. Write them out with onnx.inliner."
            )


def _present(attribute: Any, one: str, many: str) -> Iterator[Any]:
    if attribute.HasField(one):
        yield getattr(attribute, one)
    several: Iterable[Any] = getattr(attribute, many)
    yield from several


def _check_sparse(sparse: Any, where: str) -> None:
    check_tensor(sparse.values, where)
    check_tensor(sparse.indices, where)
    if any(each < 0 for each in sparse.dims):
        raise WeightsError(f"{where} states a negative size; the file is damaged.")


def _refuse_many(what: str, count: int) -> None:
    if count > MOST_NODES:
        raise WeightsError(
            f"The model has {count:,} {what}, and at most {MOST_NODES:,} are taken; a large "
            "network has some thousand. Simplify it before it is exported."
        )
