"""One step of each optimizer by hand, as document 004 writes them: pure functions of parameter, gradient and state.

Arrays have the parameter's shape and keep its dtype, hyper-parameters being Python numbers. The state starts at zeros.
A rule minimises; for the gradient of an objective to be maximised, give its negative.
"""

from __future__ import annotations

import numpy as np


def sgd_update(w: np.ndarray, g: np.ndarray, *, lr: float) -> np.ndarray:
    """Return the new parameter W − α δW for the gradient δW = `g` and α = `lr`.

        C(W + D) ≈ C(W) + ⟨δW, D⟩        is smallest, among all D of one length, along D = −δW

    >>> import numpy as np
    >>> sgd_update(np.array([1.0]), np.array([2.0]), lr=0.25)
    array([0.5])
    """
    return w - lr * g


def momentum_update(
    w: np.ndarray, g: np.ndarray, v: np.ndarray, *, lr: float, beta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the new parameter and the new average V of the gradients (004.11).

        V ← β V + (1 − β) δW       so that after t steps V = (1 − β) Σₖ βᵗ⁻ᵏ δWₖ, k = 1 … t
        W ← W − α V

    >>> import numpy as np
    >>> momentum_update(np.array([1.0]), np.array([2.0]), np.array([0.0]), lr=0.25, beta=0.5)
    (array([0.75]), array([1.]))
    """
    v = beta * v + (1 - beta) * g
    return w - lr * v, v


def rmsprop_update(
    w: np.ndarray, g: np.ndarray, s: np.ndarray, *, lr: float, beta: float, epsilon: float = 1e-8
) -> tuple[np.ndarray, np.ndarray]:
    """Return the new parameter and the new average S of the squared gradients (004.12).

        S ← β S + (1 − β) δW²                entry by entry
        W ← W − α δW/(√S + ε)                √S being the size the gradient has had of late, all entries move alike

    >>> import numpy as np
    >>> rmsprop_update(np.array([1.0]), np.array([2.0]), np.array([0.0]), lr=0.25, beta=0.75)
    (array([0.5]), array([1.]))
    """
    s = beta * s + (1 - beta) * g**2
    return w - lr * g / (np.sqrt(s) + epsilon), s


def adam_update(
    w: np.ndarray,
    g: np.ndarray,
    v: np.ndarray,
    s: np.ndarray,
    t: int,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the new parameter, V and S for step `t`, which counts from 1 (004.13); raises ValueError for t < 1.

        V ← β₁ V + (1 − β₁) δW,  S ← β₂ S + (1 − β₂) δW²         as in 004.11 and 004.12
        V̂ = V/(1 − β₁ᵗ),  Ŝ = S/(1 − β₂ᵗ)                        as (1 − β) Σₖ βᵗ⁻ᵏ = 1 − βᵗ, weights now sum to 1
        W ← W − α V̂/(√Ŝ + ε)

    >>> import numpy as np
    >>> w, v, s = adam_update(np.array([1.0]), np.array([2.0]), np.zeros(1), np.zeros(1), 1, lr=0.25, epsilon=0.0)
    >>> w
    array([0.75])
    """
    if t < 1:
        raise ValueError(f"t counts the steps from 1, got {t}")
    v = beta1 * v + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g**2
    v_hat = v / (1 - beta1**t)
    s_hat = s / (1 - beta2**t)
    return w - lr * v_hat / (np.sqrt(s_hat) + epsilon), v, s
