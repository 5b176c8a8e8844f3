"""The same programs in jax.numpy, in float64: values, gradients, and products with the Hessian.

Compiling is what costs, most of it whatever the size, so that many programs are compiled together.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from tests.fuzzing.program import Array, Constant, Program

try:
    import jax
    import jax.numpy as jnp
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

Direction = dict[str, Array]

TOGETHER = 20
"""How many programs are compiled at once."""


class Theirs(NamedTuple):
    """What JAX says about a program."""

    value: Array
    gradients: dict[str, Array]
    products: dict[str, Array] | None


def ask(programs: Sequence[Program], directions: Sequence[Direction | None]) -> list[Theirs]:
    """Return what JAX says about each program; with the Hessian times its direction where one is given."""
    jax.config.update("jax_enable_x64", True)
    functions = [_function(program) for program in programs]

    def everything(leaves: Any, vectors: Any) -> Any:
        return [_derivatives(f, x, v) for f, x, v in zip(functions, leaves, vectors, strict=True)]

    compiled = jax.jit(everything, compiler_options=_quick_compilation())
    answers = compiled([program.leaves for program in programs], list(directions))
    return [Theirs(*jax.tree.map(np.asarray, answer)) for answer in answers]


def ask_uncompiled(program: Program, direction: Direction | None) -> Theirs:
    """Return what JAX says without XLA, which compiles some powers wrongly."""
    with jax.disable_jit():
        answer = _derivatives(_function(program), program.leaves, direction)
    return Theirs(*jax.tree.map(np.asarray, answer))


def _derivatives(f: Callable[..., Any], x: Any, v: Any) -> tuple[Any, Any, Any]:
    if v is None:
        return (*jax.value_and_grad(f)(x), None)
    (value, gradients), (_, products) = jax.jvp(jax.value_and_grad(f), (x,), (v,))
    return value, gradients, products


def forget() -> None:
    """Let go of what was compiled, of which none is used twice."""
    if AVAILABLE:
        jax.clear_caches()


@functools.cache
def _quick_compilation() -> dict[str, Any] | None:
    """Return options with which a program that runs once is compiled several times faster, if JAX knows them."""
    options = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(jnp.sin, compiler_options=options)(1.0)
    except Exception:
        return None
    return options


def _function(program: Program) -> Callable[[dict[str, Any]], Any]:
    def f(leaves: dict[str, Any]) -> Any:
        names = program.environment(_for_jax, np=jnp, tg=IN_JAX)
        outputs = program.run(names, leaves)
        return sum(jnp.sum(y * g) for y, g in zip(outputs, program.outputs.values(), strict=True))

    return f


def _for_jax(constant: Constant) -> Any:
    if constant.kind == "index":
        return _plain_index(constant.value)
    return jnp.asarray(constant.value) if constant.dtype is not None else constant.value


def _plain_index(index: Any) -> Any:
    """Return an index with arrays for lists, which JAX asks for."""
    if isinstance(index, tuple):
        return tuple(map(_plain_index, index))
    return np.array(index, np.int64) if isinstance(index, list) else index


# ----- Our functions in terms of JAX -----


def _squares(*arrays: Any, factor: float = 1.0) -> Any:
    return factor * sum(jnp.sum(x * x) for x in arrays)


def _weighted(terms: Sequence[Any], weights: Sequence[float]) -> Any:
    return sum(weight * term for weight, term in zip(weights, terms, strict=True))


def _cross_entropy(logits: Any, targets: Any, reduction: str = "mean") -> Any:
    logs = jax.nn.log_softmax(logits, axis=-1)
    if targets.ndim < logits.ndim:
        targets = jax.nn.one_hot(targets, logits.shape[-1], dtype=logits.dtype)
    losses = -jnp.sum(targets * logs, axis=-1)
    return {"none": lambda x: x, "sum": jnp.sum, "mean": jnp.mean}[reduction](losses)


def _in_jax() -> SimpleNamespace:
    own = {
        "relu": jax.nn.relu,
        "sigmoid": jax.nn.sigmoid,
        "softplus": jax.nn.softplus,
        "softmax": jax.nn.softmax,
        "log_softmax": jax.nn.log_softmax,
        "logsumexp": jax.scipy.special.logsumexp,
        "named": lambda x, name: x,
        "stop_gradient": jax.lax.stop_gradient,
        "norm": lambda x, axis=None, keepdims=False: jnp.sqrt(jnp.sum(x * x, axis, keepdims=keepdims)),
        "linear": lambda x, w, b: x @ w.T + b,
        "softmax_cross_entropy": _cross_entropy,
        "sum_squares": _squares,
        "weighted_sum": _weighted,
        "set_at": lambda x, index, values: x.at[index].set(values),
        "add_at": lambda x, index, values: x.at[index].add(values),
        "scatter_add": lambda g, index, shape: jnp.zeros(shape, g.dtype).at[index].add(g),
        "one_hot": lambda labels, width, dtype: jax.nn.one_hot(labels, width, dtype=dtype),
        "astype": lambda x, dtype: x.astype(dtype),
    }
    numpy_names = (
        "absolute add broadcast_to clip concatenate cos divide exp expand_dims expm1 log log1p logaddexp matmul max "
        "maximum mean min minimum multiply negative power prod reshape sign sin sqrt square stack std subtract sum "
        "swapaxes tanh transpose var where"
    )
    return SimpleNamespace(**own, **{name: getattr(jnp, name) for name in numpy_names.split()})


IN_JAX = _in_jax() if AVAILABLE else None
