"""What all sections of an experiment share: how they check their settings, and how a setting is found by its path."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import itertools
import json
import math
import re
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import msgspec
import numpy as np

from tinygrad_lite.errors import ArgumentError, ExperimentError

Problem: TypeAlias = tuple[str, str]
"""The path of a setting and what is wrong with it."""

MOST_TOLD = 20
"""How many mistakes are told at once."""

BASIC = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text"}
"""What a type that says nothing of itself is called in messages."""


class SectionError(ExperimentError):
    """Settings of a section that cannot be, all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(f"{path}: {text}" if path else text for path, text in self.problems)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an experiment: settings with types and defaults, checked when it is made; it cannot change later."""

    def __post_init__(self) -> None:
        """Check and convert every setting, then whether they go together; raises SectionError with all problems."""
        problems: list[Problem] = []
        for name, kind in kinds_of(type(self)).items():
            try:
                value = converted(getattr(self, name), kind)
            except SectionError as problem:
                problems += [(f"{name}{path}", text) for path, text in problem.problems]
            else:
                msgspec.structs.force_setattr(self, name, value)
        problems = problems or list(self.conflicts())
        if problems:
            raise SectionError(problems)

    def conflicts(self) -> Iterator[Problem]:
        """Yield settings that do not go together; each is right by itself."""
        return iter(())


# ----- Values -----


def converted(value: Any, kind: Any) -> Any:
    """Return `value` as the type `kind` has it, such as 1 as 1.0; raises SectionError with what was expected.

    >>> converted([300, 100], tuple[float, ...])
    (300.0, 100.0)
    """
    value = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    section, entries = section_of(kind), _entries(kind)
    if section and not (value is None and kind is not section):
        if isinstance(value, section):
            return value
        raise SectionError([("", f"expected a {section.__name__}, got {shown(value)}")])
    try:
        found = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        if entries and isinstance(value, list | tuple):
            return tuple(_entry(i, part, entries) for i, part in enumerate(value))
        raise SectionError([("", _expected(value, kind))]) from None
    for part in found if isinstance(found, tuple) else (found,):
        if isinstance(part, float) and not math.isfinite(part):
            raise SectionError([("", _expected(value, kind))])
        if isinstance(part, str) and not part.isprintable():
            raise SectionError([("", f"there are signs in {shown(part)} that cannot be shown")])
    return found + 0.0 if isinstance(found, float) else found  # −0 is 0, also in the bytes of a file


@functools.cache
def _entries(kind: Any) -> Any:
    """Return the type of the entries of a list of this type, None if it is no list."""
    return next((get_args(part)[0] for part in (kind, *get_args(kind)) if get_origin(part) is tuple), None)


def _entry(i: int, value: Any, kind: Any) -> Any:
    try:
        return converted(value, kind)
    except SectionError as problem:
        raise SectionError([(f"[{i}]{path}", text) for path, text in problem.problems]) from None


def _expected(value: Any, kind: Any) -> str:
    near = did_you_mean(value, _names(kind)) if isinstance(value, str) else ""
    return f"expected {_words(kind)}, got {shown(value)}{near}"


def _words(kind: Any) -> str:
    """Return what a type is called in messages."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return str(kind.__metadata__[0].description)
    if origin is Literal:
        return "one of " * (len(parts) > 1) + ", ".join(f'"{name}"' for name in parts)
    if origin in (Union, types.UnionType):
        return ", or ".join(_words(part) for part in parts if part is not type(None))
    if origin is tuple:
        return "a list"
    return BASIC.get(kind, "a table")


def _names(kind: Any) -> list[str]:
    """Return the names that a setting of this type may have as its value."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [name for part in get_args(kind) if part is not ... for name in _names(part)]


def shown(value: Any, depth: int = 3) -> str:
    """Return a value as files write it, cut where it is long or deep.

    >>> shown([True, "adam", 0.5])
    '[true, "adam", 0.5]'
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"one of {value.bit_length()} bits"  # str() refuses the longest
    if isinstance(value, list | tuple | Mapping):
        parts = [shown(part, depth - 1) for part in itertools.islice(value, 8)] if depth else []
        if isinstance(value, Mapping):
            parts = [f"{key} = {shown(value[name], depth - 1)}" for key, name in zip(parts, value, strict=False)]
        parts += ["…"] * (len(value) > len(parts))
        return ("{%s}" if isinstance(value, Mapping) else "[%s]") % ", ".join(parts)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)
    text = text if len(text) <= 100 else f"{text[:60]} … {text[-30:]}"
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def name_of(key: Any) -> str:
    """Return a key or path as messages show it: as it is, if it is written without quotes, and cut if it is long.

    >>> name_of("train.epochs"), name_of("no key")
    ('train.epochs', '"no key"')
    """
    return key if isinstance(key, str) and re.fullmatch(r"[\w.-]{1,100}", key) else shown(key)


# ----- Settings that belong together -----


def given(section: Section, *names: str) -> dict[str, Any]:
    """Return those of the named settings that are not None."""
    return {name: value for name in names if (value := getattr(section, name)) is not None}


def refused(kind: type[Any], who: str, settings: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what keeps a dataclass from being made with `settings`: those it lacks, those it needs, what it refuses."""
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name != "maximize"}
    unknown = [name for name in settings if name not in fields]
    for name in unknown:
        yield name, f"{who} has no such setting" + f"; it has {', '.join(fields)}" * bool(fields)
    missing = [name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in settings]
    for name in missing:
        yield name, f"{who} needs this setting"
    if not missing and not unknown:
        try:
            kind(**settings)
        except ArgumentError as problem:
            yield next(iter(settings), "name"), str(problem)


# ----- Paths -----


@functools.cache
def kinds_of(section: type[Section]) -> dict[str, Any]:
    """Return the type of every setting and section of a section by its name."""
    return {field.name: field.type for field in msgspec.structs.fields(section)}


@functools.cache
def section_of(kind: Any) -> type[Section] | None:
    """Return the section that a setting of this type holds, None if it holds a value."""
    return next(
        (part for part in (kind, *get_args(kind)) if isinstance(part, type) and issubclass(part, Section)), None
    )


@functools.cache
def setting_kinds(section: type[Section], prefix: str = "") -> dict[str, Any]:
    """Return the type of every setting by its path, those of the sections within it included."""
    kinds: dict[str, Any] = {}
    for name, kind in kinds_of(section).items():
        inner = section_of(kind)
        path = f"{prefix}{name}"
        kinds |= setting_kinds(inner, f"{path}.") if inner else {path: kind}
    return kinds


def repeated(names: Iterable[str]) -> str | None:
    """Return the first name that stands there a second time, None if each stands there once."""
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]  # add gives None


def flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables by their paths.

    >>> dict(flat({"optimizer": {"lr": [0.1]}, "train.epochs": [3]}))
    {'optimizer.lr': [0.1], 'train.epochs': [3]}
    """
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def no_such_setting(path: str, paths: Collection[str]) -> str:
    """Return the message for a path that no setting has, with those nearest to it and those that stand beside it.

    >>> no_such_setting("train.lr", ["train.epochs", "train.seed", "optimizer.lr"])
    'there is no such setting; did you mean optimizer.lr? (train has epochs, seed)'
    """
    if path in paths:  # a key with a point in it, of an outer table
        return f"write {path} without quotes"
    if within := _within(path, paths):
        return f"this is a section, not a setting; it has {', '.join(within)}"
    section, _, key = path.rpartition(".")
    beside = _within(section, paths)
    near = [f"{section}.{name}".lstrip(".") for name in _near(key, beside)]
    near = near or [known for known in paths if known.rpartition(".")[2] == key]
    near = near or ([] if beside else _near(path, paths))
    question = f"; did you mean {' or '.join(near)}?" if near else ""
    known = f" ({section or 'an experiment'} has {', '.join(beside)})" if beside else ""
    return f"there is no such setting{question}{known}"


def _within(section: str, paths: Collection[str]) -> list[str]:
    """Return the settings and sections of a section, those of the whole experiment if it has no name."""
    prefix = f"{section}." if section else ""
    return list(dict.fromkeys(path[len(prefix) :].split(".")[0] for path in paths if path.startswith(prefix)))


def did_you_mean(name: str, names: Collection[str]) -> str:
    """Return the question that ends a message about a name, empty if no name is near."""
    near = _near(name, names)
    return f'; did you mean "{near[0]}"?' if near else ""


def _near(name: str, names: Collection[str]) -> list[str]:
    return difflib.get_close_matches(name[:100].lower(), names, n=1)
