"""The same mistakes given to four gradient checks: who catches what, what each says, and how long it takes.

    python -m benchmarks.who_catches_what [--rounds N]

A network 5-5-4 of tanh, softmax cross-entropy averaged over 8 examples, weight decay. The derivation is the handwritten
one of the planted mistakes, in NumPy; PyTorch gets it as the backward of an autograd.Function, JAX as that of a
custom_vjp, SciPy as `grad`. All run with their default tolerances. SciPy's check has none and returns a distance: it
counts as caught above 1e-5, a hundred times the distance of the right derivation. Times are medians of N rounds.
"""

import argparse
import dataclasses
import statistics
import time
import warnings

import numpy as np

import tinygrad_lite as tg
from tests.check.planting.catalogue import WHOLE
from tests.check.planting.derivations import gradient_function
from tests.check.planting.networks import UNITS, Problem

EXAMPLES, INPUTS, HIDDEN, CLASSES, DECAY = 8, 5, 5, 4, 0.01
SCIPY_CATCHES_ABOVE = 1e-5

PLANTED = {
    "sign": "target minus output",
    "scale": "a factor 2 in one product",
    "batch-mean": "mean forgotten",
    "transposed, square": "activations times errors",
    "transposed, not square": "everything returned transposed",
    "regulariser-missing": "penalty forgotten",
    "regulariser-on-bias": "biases decayed",
    "activation-derivative-missing": "unit's derivative forgotten",
    "activation-derivative-wrong": "tanh: 1 − h, the square forgotten",
    "softmax-diagonal-only": "cross-entropy through the diagonal",
    "wrong-axis": "biases summed over all",
    "sign + batch-mean": "target minus output, mean forgotten",
    "regulariser-missing + batch-mean": "penalty and mean forgotten",
    "not on the list": "values of a forward pass with older weights",
}


@dataclasses.dataclass
class Case:
    """A derivation to check, right or wrong."""

    name: str
    wrong: bool
    parameters: list[np.ndarray]
    problem: Problem
    edits: tuple = ()
    layer: int | None = None
    activation: str = "tanh"

    def gradients(self, *parameters):
        """The handwritten gradients, computed in the dtype of the case."""
        dtype = self.parameters[0].dtype
        parameters = [np.asarray(parameter, dtype) for parameter in parameters]
        dWs, dbs = gradient_function("rows", self.edits, self.layer)(parameters[:2], parameters[2:], self.problem)
        return (*dWs, *dbs)

    def objective(self, xp, relu, X, T):
        """The objective with the functions of NumPy, PyTorch or JAX."""
        unit = xp.tanh if self.activation == "tanh" else relu
        decay = self.problem.decay

        def f(W1, W2, b1, b2):
            S = unit(X @ W1.T + b1) @ W2.T + b2
            losses = xp.log(xp.exp(S).sum(axis=1)) - (T * S).sum(axis=1)
            return losses.sum() / EXAMPLES + decay / 2 * ((W1 * W1).sum() + (W2 * W2).sum())

        return f


def right_case(name="right", dtype=np.float64, activation="tanh", decay=DECAY):
    rng = np.random.default_rng(0)
    unit, derivatives = UNITS[activation]
    X, T = rng.normal(size=(EXAMPLES, INPUTS)), np.eye(CLASSES)[rng.integers(0, CLASSES, EXAMPLES)]
    shapes = (HIDDEN, INPUTS), (CLASSES, HIDDEN), (HIDDEN,), (CLASSES,)
    problem = Problem(
        X=X.astype(dtype),
        unscaled=X.astype(dtype),
        T=T.astype(dtype),
        unit=unit,
        derivative=derivatives[0],
        skips=(False, False),
        masks=(1.0, 1.0),
        cost="cross-entropy",
        output="softmax",
        factor=1.0,
        divisor=float(EXAMPLES),
        sense=1.0,
        decay=decay,
        bias_decay=0.0,
    )
    parameters = [(0.5 * rng.normal(size=shape)).astype(dtype) for shape in shapes]
    return Case(name, False, parameters, problem, activation=activation)


def edits(mistake):
    """The edits of the mistake of a name that can be made by rows."""
    return next(m.edits("rows") for m in WHOLE.all if m.name == mistake and m.edits("rows"))


def cases():
    yield right_case()
    yield right_case("right, in float32", np.float32)
    at_a_kink = right_case("right, a relu at its kink", activation="relu")
    at_a_kink.parameters[0][0], at_a_kink.parameters[2][0] = 0, 0
    yield at_a_kink
    for name, mistake in PLANTED.items():
        layer = 0 if name == "transposed, square" else None
        yield dataclasses.replace(right_case(name), wrong=True, edits=edits(mistake), layer=layer)
    weak = right_case("regulariser-missing, λ = 1e-6", decay=1e-6)
    yield dataclasses.replace(weak, wrong=True, edits=edits("penalty forgotten"))
    small = right_case("activation-derivative-missing, gradient of 1e-6", decay=0.0)
    small.parameters[1] *= 1e-6
    yield dataclasses.replace(small, wrong=True, edits=edits("unit's derivative forgotten"))


# ----- The checks: each returns what it objects to, or None -----


def ours(case):
    f = case.objective(np, tg.relu, case.problem.X, case.problem.T)
    names = ["W1", "W2", "b1", "b2"]
    report = tg.check_gradients(f, *case.parameters, analytic=case.gradients, names=names)
    wrong = [row for row in report.rows if row.status == "differs"]
    if not wrong:
        return None
    return f"{wrong[0].name}: " + ("; ".join(str(cause) for cause in wrong[0].diagnosis) or wrong[0].note)


def with_torch():
    import torch

    def check(case):
        X, T = torch.tensor(case.problem.X), torch.tensor(case.problem.T)

        class ByHand(torch.autograd.Function):
            @staticmethod
            def forward(context, *parameters):
                context.save_for_backward(*parameters)
                return case.objective(torch, torch.relu, X, T)(*parameters)

            @staticmethod
            def backward(context, cotangent):
                gradients = case.gradients(*(parameter.numpy() for parameter in context.saved_tensors))
                return tuple(cotangent * torch.tensor(np.asarray(G)) for G in gradients)

        parameters = [torch.tensor(parameter, requires_grad=True) for parameter in case.parameters]
        torch.autograd.gradcheck(ByHand.apply, parameters)

    return f"torch {torch.__version__}", check


def with_jax():
    import jax
    import jax.numpy as jnp
    from jax.test_util import check_grads

    jax.config.update("jax_enable_x64", True)

    def check(case):
        f = case.objective(jnp, jax.nn.relu, jnp.asarray(case.problem.X), jnp.asarray(case.problem.T))
        by_hand = jax.custom_vjp(f)
        by_hand.defvjp(
            lambda *parameters: (f(*parameters), parameters),
            lambda kept, cotangent: tuple(cotangent * jnp.asarray(G) for G in case.gradients(*kept)),
        )
        check_grads(by_hand, tuple(jnp.asarray(parameter) for parameter in case.parameters), order=1, modes=["rev"])

    return f"jax {jax.__version__}", check


def with_scipy():
    import scipy
    from scipy.optimize import check_grad

    def check(case):
        f = case.objective(np, tg.relu, case.problem.X, case.problem.T)
        ends = np.cumsum([parameter.size for parameter in case.parameters])[:-1]
        shapes = [parameter.shape for parameter in case.parameters]

        def apart(x):
            flat = np.split(np.asarray(x, case.parameters[0].dtype), ends)
            return [part.reshape(shape) for part, shape in zip(flat, shapes, strict=True)]

        distance = check_grad(
            lambda x: f(*apart(x)),
            lambda x: np.concatenate([np.ravel(G) for G in case.gradients(*apart(x))]),
            np.concatenate([parameter.ravel() for parameter in case.parameters]),
        )
        return f"{distance:.1e}" if distance > SCIPY_CATCHES_ABOVE else None

    return f"scipy {scipy.__version__}", check


def contenders():
    yield f"tinygrad_lite, NumPy {np.__version__}", ours
    for load in (with_torch, with_jax, with_scipy):
        try:
            yield load()
        except ImportError as absent:
            print(f"{load.__name__.removeprefix('with_')} skipped: {absent}\n")


def verdict(check, case):
    """What a check objects to, in one line, or None; errors are how some of them object."""
    try:
        said = check(case)
    except Exception as error:
        said = next(line.strip() for line in str(error).splitlines() if line.strip())
    return said


def milliseconds(check, case, rounds):
    taken = []
    for _ in range(rounds):
        begin = time.perf_counter()
        verdict(check, case)
        taken.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    warnings.simplefilter("ignore")  # PyTorch warns of float32
    checks = list(contenders())
    all_cases = list(cases())
    said = {(case.name, name): verdict(check, case) for case in all_cases for name, check in checks}
    times = {(case.name, name): milliseconds(check, case, rounds) for case in all_cases for name, check in checks}

    print("| | " + " | ".join(name for name, _ in checks) + " |")
    print("|---" * (1 + len(checks)) + "|")
    for case in all_cases:
        objections = [said[case.name, name] is not None for name, _ in checks]
        words = {(True, True): "caught", (True, False): "**missed**", (False, True): "**false alarm**"}
        cells = [words.get((case.wrong, objected), "passed") for objected in objections]
        taken = [f"{times[case.name, name]:.1f} ms" for name, _ in checks]
        print(f"| {case.name} | " + " | ".join(f"{c}, {t}" for c, t in zip(cells, taken, strict=True)) + " |")
    medians = [statistics.median(times[case.name, name] for case in all_cases) for name, _ in checks]
    print("| median | " + " | ".join(f"{m:.1f} ms" for m in medians) + " |\n")
    for case in all_cases:
        print(f"{case.name}")
        for name, _ in checks:
            print(f"    {name.split(',')[0].split()[0]:<14} {said[case.name, name] or '—'}")


if __name__ == "__main__":
    main()
