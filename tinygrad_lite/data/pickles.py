"""The pickles of CIFAR-10, followed without running anything that they name.

A pickle is a program: `pickle.load` calls whatever function the file asks for. The machine here knows the
instructions that a dict of names, numbers, lists and arrays needs, in protocols 2 to 5, and has four calls, each
allowed with the arguments that NumPy writes and carried out here, by no function that the file names:

    _codecs.encode(text, "latin1")          bytes, as Python 3 writes them in protocol 2
    numpy.dtype("u1", …), then its state    a dtype of integers
    numpy…_reconstruct(ndarray, (0,), b"b") an array whose state follows
    numpy…_frombuffer(…)                    an array in one piece

What it makes cannot outgrow the file: each count is held against the bytes that are left, the memo is a dict, the
instructions are numbered, and an array is a view of bytes that were read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinygrad_lite.errors import DataError

_MOST_INSTRUCTIONS = 300_000  # a batch of CIFAR-10 has 20,000 to 100,000
_LONGEST_NAME = 100
_MODULES_OF_RECONSTRUCT = ("numpy.core.multiarray", "numpy._core.multiarray")
_MODULES_OF_FROMBUFFER = ("numpy.core.numeric", "numpy._core.numeric", *_MODULES_OF_RECONSTRUCT)
_NAMES = {
    ("_codecs", "encode"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    *((module, "_reconstruct") for module in _MODULES_OF_RECONSTRUCT),
    *((module, "_frombuffer") for module in _MODULES_OF_FROMBUFFER),
}
_CODES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8")
_ORDERS = ("|", "<", ">", "=")


def read_pickle(content: bytes, name: str) -> dict[str, object]:
    """Return the dict in a pickle; `name` is what errors call the file.

    Its values are None, bool, int, str, bytes, lists, tuples and dicts of these, and arrays of integers, which share
    the memory of the bytes read. Raises DataError for everything else, before anything of it is carried out.

    >>> import pickle
    >>> read_pickle(pickle.dumps({b"labels": [6, 9]}), "batch")
    {'labels': [6, 9]}
    """
    found = _Machine(content, name).run()
    if not isinstance(found, dict):
        raise DataError(f"{name} does not hold a dict, but a {type(found).__name__}; fetch the file again")
    return {key: value.finished(name) if isinstance(value, _Array) else value for key, value in found.items()}


@dataclass(frozen=True)
class _Name:
    """The name of a function or class, which is never looked up."""

    module: str
    name: str


@dataclass
class _Dtype:
    code: str
    order: str = "="


@dataclass
class _Array:
    values: np.ndarray | None = None

    def finished(self, name: str) -> np.ndarray:
        if self.values is None:
            raise DataError(f"{name} has an array without values; fetch the file again")
        return self.values


def _short_text(value: object) -> str:
    """Return a short text, which Python 2 wrote as bytes, and "" for anything else.

    A long one is not decoded, because that could be asked for again and again.
    """
    if not isinstance(value, str | bytes) or len(value) > _LONGEST_NAME:
        return ""
    return value if isinstance(value, str) else value.decode("latin-1")


class _Machine:
    def __init__(self, content: bytes, name: str) -> None:
        self._content, self._name = content, name
        self._at = self._end_of_frame = 0
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, object] = {}
        self._encoded = 0

    def run(self) -> object:
        """Follow the instructions to the last and return what they leave on the stack."""
        if self._content[:1] != b"\x80":
            raise DataError(
                f"{self._name} is not a pickle of protocol 2 to 5: expected it to start with 80, found "
                f"{self._content[:1].hex() or 'nothing'}; check that it is the file you meant, and fetch it again"
            )
        for _ in range(_MOST_INSTRUCTIONS):
            code = self._take(1)
            if code == b".":
                return self._result()
            if code not in _INSTRUCTIONS:
                raise self._refusal(f"the instruction 0x{code.hex()}")
            act, argument = _INSTRUCTIONS[code]
            act(self, argument)
        raise self._refusal(f"more than {_MOST_INSTRUCTIONS} instructions")

    def _result(self) -> object:
        if self._at != len(self._content) or len(self._stack) != 1 or self._marks:
            raise self._refusal("an end that is not at the end")
        return self._stack[0]

    def _refusal(self, what: str) -> DataError:
        return DataError(
            f"{self._name} has, before byte {self._at}, {what}, which no pickle of CIFAR-10 has, so none of it was "
            "taken; fetch the file again from where CIFAR-10 is published, or use the binary layout"
        )

    def _take(self, count: int) -> bytes:
        left = len(self._content) - self._at
        if count > left:
            raise DataError(
                f"{self._name} is cut short: expected {count} bytes at byte {self._at}, found {left}; "
                "fetch the file again"
            )
        if self._at < self._end_of_frame < self._at + count:
            raise self._refusal("a frame that ends in the middle of an instruction")
        self._at += count
        return self._content[self._at - count : self._at]

    def _integer(self, size: int) -> int:
        return int.from_bytes(self._take(size), "little")

    def _last(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise self._refusal("a value taken that was never given")
        return self._stack[-1]

    def _pop(self) -> Any:
        self._last()
        return self._stack.pop()

    def _pop_to_mark(self) -> list[Any]:
        if not self._marks:
            raise self._refusal("the end of a row that never began")
        mark = self._marks.pop()
        values = self._stack[mark:]
        del self._stack[mark:]
        return values

    def _top(self, kind: type) -> Any:
        if type(self._last()) is not kind:
            raise self._refusal(f"something put into a {kind.__name__} that is not one")
        return self._last()

    def protocol(self, size: int) -> None:
        if not 2 <= self._integer(size) <= 5:
            raise self._refusal("a protocol other than 2 to 5")

    def frame(self, size: int) -> None:
        length = self._integer(size)
        if self._at < self._end_of_frame or length > len(self._content) - self._at:
            raise self._refusal("a frame that does not fit")
        self._end_of_frame = self._at + length

    def push(self, value: object) -> None:
        self._stack.append(value)

    def push_new(self, kind: type) -> None:
        self._stack.append(kind())

    def push_unsigned(self, size: int) -> None:
        self._stack.append(self._integer(size))

    def push_signed(self, size: int) -> None:
        self._stack.append(int.from_bytes(self._take(size), "little", signed=True))

    def push_bytes(self, size: int) -> None:
        self._stack.append(self._take(self._integer(size)))

    def push_text(self, size: int) -> None:
        try:
            self._stack.append(self._take(self._integer(size)).decode())
        except UnicodeDecodeError:
            raise self._refusal("text that is not UTF-8") from None

    def mark(self, _: None) -> None:
        self._marks.append(len(self._stack))

    def put(self, size: int) -> None:
        self._remember(self._integer(size))

    def put_next(self, _: None) -> None:
        self._remember(len(self._memo))

    def _remember(self, index: int) -> None:
        self._memo[index] = value = self._pop()
        self._stack.append(value)

    def get(self, size: int) -> None:
        index = self._integer(size)
        if index not in self._memo:
            raise self._refusal("a value recalled that was never given")
        self._stack.append(self._memo[index])

    def make_tuple(self, count: int | None) -> None:
        values = self._pop_to_mark() if count is None else [self._pop() for _ in range(count)][::-1]
        self._stack.append(tuple(values))

    def append(self, many: bool) -> None:
        values = self._pop_to_mark() if many else [self._pop()]
        self._top(list).extend(values)

    def set_items(self, many: bool) -> None:
        values = self._pop_to_mark() if many else [self._pop(), self._pop()][::-1]
        if len(values) % 2:
            raise self._refusal("a key without a value")
        self._top(dict).update(zip(map(self._key, values[::2]), values[1::2], strict=True))

    def _key(self, key: object) -> str:
        text = _short_text(key)
        if not text:
            raise self._refusal("a key that is not a short name")
        return text

    def name_of_two_lines(self, _: None) -> None:
        end = self._content.find(b"\n", self._at, self._at + _LONGEST_NAME)
        after = self._content.find(b"\n", end + 1, end + 1 + _LONGEST_NAME)
        if end < 0 or after < 0:
            raise self._refusal("a name without an end")
        module, name, _rest = self._take(after + 1 - self._at).decode("latin-1").split("\n")
        self._push_name(module, name)

    def name_of_two_texts(self, _: None) -> None:
        name, module = self._pop(), self._pop()
        if type(module) is not str or type(name) is not str:
            raise self._refusal("a name that is no text")
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        if (module, name) not in _NAMES:
            raise self._refusal(f"the name {module[:_LONGEST_NAME]}.{name[:_LONGEST_NAME]}")
        self._stack.append(_Name(module, name))

    def call(self, _: None) -> None:
        arguments, function = self._pop(), self._pop()
        if type(function) is not _Name or type(arguments) is not tuple:
            raise self._refusal("a call of what is not a function")
        self._stack.append(self._called(function, arguments))

    def _called(self, function: _Name, arguments: tuple[Any, ...]) -> object:
        match function.module, function.name, arguments:
            case "_codecs", "encode", (str() as text, "latin1" | "latin-1"):
                return self._as_bytes(text)
            case "numpy", "dtype", (code, int(), int()) if (text := _short_text(code)) in _CODES:
                return _Dtype(text)
            case _, "_reconstruct", (_Name("numpy", "ndarray"), (0,), kind) if _short_text(kind) == "b":
                return _Array()
            case _, "_frombuffer", (buffer, dtype, shape, "C" | "F" as order):
                return _Array(self._as_array(buffer, dtype, shape, order))
        raise self._refusal(f"a call of {function.module}.{function.name} with other arguments than NumPy's")

    def _as_bytes(self, text: str) -> bytes:
        self._encoded += len(text)
        if self._encoded > len(self._content):  # one long text could be asked for again and again
            raise self._refusal("more text to encode than it holds")
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            raise self._refusal("bytes beyond 255") from None

    def build(self, _: None) -> None:
        match self._pop(), self._last():
            case (3, order, None, None, None, -1, -1, 0), _Dtype() as dtype if (text := _short_text(order)) in _ORDERS:
                dtype.order = text
            case (1, shape, dtype, bool() | 0 | 1 as by_columns, buffer), _Array() as array:
                array.values = self._as_array(buffer, dtype, shape, "F" if by_columns else "C")
            case _:
                raise self._refusal("a state that is not an array's")

    def _as_array(self, buffer: object, dtype: object, shape: object, order: str) -> np.ndarray:
        if type(dtype) is not _Dtype or type(buffer) is not bytes or type(shape) is not tuple:
            raise self._refusal("an array that is not of integers")
        if not 1 <= len(shape) <= 2 or any(type(size) is not int or size < 1 for size in shape):
            raise self._refusal("an array that is neither a row nor a table")
        kind = np.dtype(dtype.order + dtype.code)
        if math.prod(shape) * kind.itemsize != len(buffer):
            raise self._refusal(f"{len(buffer)} bytes for an array of shape {shape} of {kind}")
        values = np.frombuffer(buffer, kind)
        return values.reshape(shape[::-1]).T if order == "F" else values.reshape(shape)


_INSTRUCTIONS: dict[bytes, tuple[Callable[[_Machine, Any], None], Any]] = {
    b"\x80": (_Machine.protocol, 1),
    b"\x95": (_Machine.frame, 8),
    b"N": (_Machine.push, None),
    b"\x88": (_Machine.push, True),
    b"\x89": (_Machine.push, False),
    b")": (_Machine.push, ()),
    b"]": (_Machine.push_new, list),
    b"}": (_Machine.push_new, dict),
    b"K": (_Machine.push_unsigned, 1),
    b"M": (_Machine.push_unsigned, 2),
    b"J": (_Machine.push_signed, 4),
    b"U": (_Machine.push_bytes, 1),  # strings of Python 2
    b"T": (_Machine.push_bytes, 4),
    b"C": (_Machine.push_bytes, 1),
    b"B": (_Machine.push_bytes, 4),
    b"\x8e": (_Machine.push_bytes, 8),
    b"\x96": (_Machine.push_bytes, 8),  # a bytearray
    b"\x8c": (_Machine.push_text, 1),
    b"X": (_Machine.push_text, 4),
    b"\x8d": (_Machine.push_text, 8),
    b"(": (_Machine.mark, None),
    b"q": (_Machine.put, 1),
    b"r": (_Machine.put, 4),
    b"\x94": (_Machine.put_next, None),
    b"h": (_Machine.get, 1),
    b"j": (_Machine.get, 4),
    b"t": (_Machine.make_tuple, None),
    b"\x85": (_Machine.make_tuple, 1),
    b"\x86": (_Machine.make_tuple, 2),
    b"\x87": (_Machine.make_tuple, 3),
    b"a": (_Machine.append, False),
    b"e": (_Machine.append, True),
    b"s": (_Machine.set_items, False),
    b"u": (_Machine.set_items, True),
    b"c": (_Machine.name_of_two_lines, None),
    b"\x93": (_Machine.name_of_two_texts, None),
    b"R": (_Machine.call, None),
    b"b": (_Machine.build, None),
}
