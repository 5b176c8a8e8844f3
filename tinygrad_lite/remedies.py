"""What to write instead of what Tensors refuse of NumPy.

A remedy records, and is an expression in terms of the operands `x` and `y`, held against NumPy by the tests, or a hint.
"""

from collections.abc import Mapping
from typing import Final

INSTEAD: Final[Mapping[str, str]] = {
    # ----- elementwise -----
    "angle": "np.where(x < 0, np.pi, 0.0)",
    "arccosh": "np.log(x + np.sqrt(x**2 - 1))",
    "arcsinh": "np.log(x + np.sqrt(x**2 + 1))",
    "arctanh": "(np.log1p(x) - np.log1p(-x)) / 2",
    "cbrt": "np.sign(x) * np.abs(x) ** (1 / 3)",
    "conj": "x",
    "conjugate": "x",
    "copysign": "np.where(y < 0, -np.abs(x), np.abs(x))",
    "cosh": "(np.exp(x) + np.exp(-x)) / 2",
    "deg2rad": "x * (np.pi / 180)",
    "degrees": "x * (180 / np.pi)",
    "divmod": "(np.floor((x / y).numpy()), x - y * np.floor((x / y).numpy()))",
    "exp2": "2**x",
    "expit": "tg.sigmoid(x)",
    "fabs": "np.abs(x)",
    "float_power": "x**y",
    "fmax": "np.maximum(x, y)",
    "fmin": "np.minimum(x, y)",
    "fmod": "x - y * np.trunc((x / y).numpy())",
    "heaviside": "np.where(x == 0, y, np.where(x > 0, 1.0, 0.0))",
    "hypot": "np.sqrt(x**2 + y**2)",
    "imag": "np.zeros_like(x)",
    "isinf": "np.abs(x) == np.inf",
    "isnan": "x != x",
    "isneginf": "x == -np.inf",
    "isposinf": "x == np.inf",
    "ldexp": "x * 2.0**y",
    "log10": "np.log(x) / np.log(10)",
    "log2": "np.log(x) / np.log(2)",
    "log_expit": "-tg.softplus(-x)",
    "logaddexp2": "np.logaddexp(x * np.log(2), y * np.log(2)) / np.log(2)",
    "logical_xor": "(x != 0) != (y != 0)",
    "logit": "np.log(x) - np.log1p(-x)",
    "modf": "(x - np.trunc(x.numpy()), np.trunc(x.numpy()))",
    "nan_to_num": "np.where(x == x, x, 0.0)",
    "rad2deg": "x * (180 / np.pi)",
    "radians": "x * (np.pi / 180)",
    "real": "x",
    "reciprocal": "1 / x",
    "remainder": "x - y * np.floor((x / y).numpy())",
    "signbit": "x < 0",
    "sinc": "np.where(x == 0, 1.0, np.sin(np.pi * x) / (np.pi * np.where(x == 0, 1.0, x)))",
    "sinh": "(np.exp(x) - np.exp(-x)) / 2",
    "tan": "np.sin(x) / np.cos(x)",
    # ----- sums, products and other reductions -----
    "apply_along_axis": "np.stack([f(row) for row in x])",
    "average": "np.sum(weights * x) / np.sum(weights)",
    "cumprod": "np.stack(list(itertools.accumulate(x, np.multiply)))",
    "cumsum": "np.tril(np.ones((n, n))) @ x",
    "cumulative_prod": "np.stack(list(itertools.accumulate(x, np.multiply)))",
    "cumulative_sum": "np.tril(np.ones((n, n))) @ x",
    "nanmax": "np.max(np.where(x == x, x, -np.inf))",
    "nanmean": "np.sum(np.where(x == x, x, 0.0)) / np.sum(x == x)",
    "nanmin": "np.min(np.where(x == x, x, np.inf))",
    "nanprod": "np.prod(np.where(x == x, x, 1.0))",
    "nansum": "np.sum(np.where(x == x, x, 0.0))",
    "polyval": "functools.reduce(lambda total, coefficient: total * y + coefficient, x)",
    "ptp": "np.max(x) - np.min(x)",
    "trace": "np.sum(x[np.arange(n), np.arange(n)])",
    "trapezoid": "np.sum(x[1:] + x[:-1]) / 2",
    "vector_norm": "np.linalg.norm(x)",
    # ----- products of matrices -----
    "dot": "x @ y",
    "inner": "x @ y.T",
    "kron": "(x[:, None, :, None] * y[:, None, :]).reshape(len(x) * len(y), -1)",
    "matrix_norm": "np.linalg.norm(x)",
    "matrix_transpose": "x.mT",
    "matvec": "(x @ y[..., None])[..., 0]",
    "multi_dot": "x @ y",
    "outer": "x[:, None] * y",
    "vdot": "np.sum(x * y)",
    "vecdot": "np.sum(x * y, axis=-1)",
    "vecmat": "(x[..., None, :] @ y)[..., 0, :]",
    # ----- shaping and joining -----
    "append": "np.concatenate([x, y], axis=None)",
    "atleast_1d": "x if x.ndim else x[None]",
    "atleast_2d": "x[None]",
    "block": "np.concatenate([x, y], axis=-1)",
    "column_stack": "np.stack([x, y], axis=-1)",
    "dstack": "np.stack([x, y], axis=-1)",
    "flip": "x[::-1]",
    "fliplr": "x[:, ::-1]",
    "flipud": "x[::-1]",
    "hstack": "np.concatenate([x, y], axis=-1)",
    "moveaxis": "np.transpose(x, axes)",
    "ravel": "x.reshape(-1)",
    "resize": "np.concatenate([x, x]).reshape(shape)",
    "roll": "np.concatenate([x[-k:], x[:-k]])",
    "rollaxis": "np.transpose(x, axes)",
    "rot90": "x[:, ::-1].T",
    "squeeze": "x.reshape([length for length in x.shape if length != 1])",
    "tile": "np.concatenate([x] * k)",
    "unstack": "tuple(x)",
    "vstack": "np.concatenate([x, y])",
    # ----- picking and choosing -----
    "array_split": "[x[:k], x[k:]]",
    "choose": "np.where(x == 0, y, z)",
    "compress": "x[mask]",
    "delete": "x[np.arange(n) != k]",
    "diag": "np.eye(n) * x if x.ndim == 1 else x[np.arange(n), np.arange(n)]",
    "diagflat": "np.eye(n) * x",
    "diagonal": "x[np.arange(n), np.arange(n)]",
    "diff": "x[..., 1:] - x[..., :-1]",
    "ediff1d": "x[1:] - x[:-1]",
    "extract": "x[mask]",
    "fill_diagonal": "tg.set_at(x, (np.arange(n), np.arange(n)), y)",
    "hsplit": "[x[:, :k], x[:, k:]]",
    "insert": "np.concatenate([x[:k], np.reshape(y, 1), x[k:]])",
    "pad": "np.concatenate([np.zeros(k), x, np.zeros(k)])",
    "partition": "x[np.argpartition(x.numpy(), k)]",
    "piecewise": "np.where(mask, x, y)",
    "place": "np.where(mask, y, x)",
    "put": "tg.set_at(x, index, y)",
    "put_along_axis": "tg.set_at(x, index, y)",
    "putmask": "np.where(mask, y, x)",
    "repeat": "x[np.repeat(np.arange(n), repeats)]",
    "select": "np.where(mask, x, y)",
    "sort": "x[np.argsort(x.numpy())]",
    "split": "[x[:k], x[k:]]",
    "take": "x[index]",
    "take_along_axis": "x[np.arange(n)[:, None], index]",
    "tril": "np.where(np.tri(*x.shape), x, 0.0)",
    "triu": "np.where(np.tri(*x.shape, k=-1), 0.0, x)",
    "vander": "x[:, None] ** np.arange(n)[::-1]",
    "vsplit": "[x[:k], x[k:]]",
    # ----- making arrays -----
    "broadcast_arrays": "(np.broadcast_to(x, y.shape), y)",
    "copy": "x",
    "copyto": "np.where(mask, y, x)",
    "empty_like": "np.zeros_like(x)",
    "full_like": "np.broadcast_to(y, x.shape)",
    "geomspace": "np.exp(np.log(x) + (np.log(y) - np.log(x)) * np.linspace(0, 1, n))",
    "linspace": "x + (y - x) * np.linspace(0, 1, n)",
    "logspace": "10 ** (x + (y - x) * np.linspace(0, 1, n))",
    "meshgrid": "(np.broadcast_to(x, (n, n)), np.broadcast_to(y[:, None], (n, n)))",
    "result_type": "np.result_type(x.dtype, y.dtype)",
}
"""What says the same as a function of NumPy that does not record, for operands as they usually are."""

ON_VALUES: Final = (
    "all allclose any argmax argmin argpartition argsort argwhere around array2string array_equal array_equiv "
    "array_repr array_str bincount bitwise_count can_cast ceil common_type count_nonzero diag_indices_from digitize "
    "fix flatnonzero floor floor_divide gcd histogram histogram2d histogram_bin_edges histogramdd intersect1d isclose "
    "iscomplex iscomplexobj isin isreal isrealobj ix_ lcm left_shift lexsort matrix_rank may_share_memory "
    "min_scalar_type nanargmax nanargmin nextafter nonzero packbits ravel_multi_index real_if_close right_shift rint "
    "round save savetxt savez savez_compressed searchsorted setdiff1d setxor1d shares_memory spacing tril_indices_from "
    "triu_indices_from trunc union1d unique unique_all unique_counts unique_inverse unique_values unpackbits "
    "unravel_index"
)
"""Functions that tell something about values, without a derivative."""

MEANT_FOR: Final = {
    "cumsum": "vectors",
    "diff": "the last axis, once",
    "flip": "the first axis",
    "hstack": "matrices",
    "outer": "vectors",
    "repeat": "the first axis",
    "roll": "the first axis",
    "sort": "vectors",
    "tile": "the first axis",
    "vstack": "matrices",
}
"""For what the expression of INSTEAD says the same, where that is not all arrays."""

NEAREST: Final[Mapping[str, str]] = {
    "np.concatenate or np.reshape": "atleast_3d dsplit",
    "np.expm1 or np.power": "frexp i0",
    "np.matmul": "cholesky cond corrcoef cov det eig eigh eigvals eigvalsh inv lstsq matrix_power pinv qr slogdet "
    "solve svd svdvals tensorinv tensorsolve "
    "fft fft2 fftn hfft ifft ifft2 ifftn ihfft irfft irfft2 irfftn rfft rfft2 rfftn",
    "np.matmul, or a product and np.sum": "convolve correlate cross einsum einsum_path tensordot",
    "np.mean": "median nanmedian nanpercentile nanquantile percentile quantile",
    "np.power": "poly polyadd polyder polydiv polyfit polyint polymul polysub roots",
    "np.sum or another reduction": "apply_over_axes nancumprod nancumsum",
    "np.tanh": "arccos arcsin arctan arctan2",
    "np.var or np.std": "nanstd nanvar",
    "np.where": "interp",
    "slices and np.concatenate": "fftshift gradient ifftshift sort_complex trim_zeros unwrap",
}
"""What comes nearest to functions for which there is no equivalent, and which functions these are."""

ATTRIBUTES: Final[Mapping[str, str]] = {
    "base": ".data.base",
    "byteswap": ".numpy().byteswap()",
    "choose": "np.where",
    "copy": "the Tensor itself, whose values do not change, or .numpy() for an array of your own",
    "ctypes": ".data.ctypes",
    "dump": "pickle.dump",
    "dumps": "pickle.dumps",
    "fill": ".assign(np.full(x.shape, value)) on a leaf, or np.full(x.shape, value)",
    "flags": ".data.flags",
    "flat": ".reshape(-1)",
    "getfield": ".numpy().getfield(dtype)",
    "itemset": "tg.set_at(x, index, value)",
    "itemsize": ".dtype.itemsize",
    "nbytes": ".data.nbytes",
    "newbyteorder": ".numpy()",
    "resize": ".reshape(shape)",
    "setfield": "tg.set_at(x, index, value)",
    "setflags": ".data, which is read-only, or .numpy(), which is writeable",
    "to_device": "the Tensor itself, which is on the CPU",
    "tobytes": ".numpy().tobytes()",
    "tofile": ".numpy().tofile(file)",
    "tolist": ".numpy().tolist()",
    "view": ".astype(dtype), or .data.view(dtype) where no gradient is to flow",
}
"""What to write instead of an attribute of ndarray that is not the function of the same name."""

REMOVED_FROM_NDARRAY: Final = ("itemset", "newbyteorder", "ptp")
"""What older code may still ask an array for."""

UFUNC_METHODS: Final[Mapping[str, str]] = {
    "outer": "{ufunc}(x[:, None], y)",
    "reduce": "functools.reduce({ufunc}, x)",
    "accumulate": "np.stack(list(itertools.accumulate(x, {ufunc})))",
    "reduceat": "np.stack([functools.reduce({ufunc}, x[i:j]) for i, j in bounds])",
    "at": "tg.set_at(x, index, {ufunc}({operands}))",
    "add.accumulate": "np.tril(np.ones((n, n))) @ x",
    "add.at": "tg.add_at(x, index, y), or tg.scatter_add(y, index, shape) for a sum that starts at zero",
    "subtract.at": "tg.add_at(x, index, -y)",
    "logaddexp.reduce": "tg.logsumexp(x, axis=0)",
}
"""What says the same as a method of a ufunc that records when it is called."""

OPTIONS: Final[Mapping[str, str]] = {
    "out": "bind what is returned, as in a = a + t; out= and in-place operators such as a += t write into an array, "
    "which would cut the graph",
    "where": "choose with np.where(mask, x, neutral) before a reduction, or np.where(mask, result, other) after it",
    "dtype": "convert with .astype(dtype)",
    "initial": "combine it with the result, as in initial + np.sum(x) or np.maximum(initial, np.max(x))",
    "axis": "take it from x.shape",
    "order": "transpose before and after, as in x.T.reshape(shape[::-1]).T",
    "axes": "arrange the axes with np.swapaxes or np.transpose, before and after",
    "shape": "give it to np.zeros or np.ones",
}
"""What to write instead of an option."""

OPERATORS: Final[Mapping[str, str]] = {
    "floor_divide": "//",
    "remainder": "%",
    "divmod": "divmod",
    "left_shift": "<<",
    "right_shift": ">>",
    "bitwise_and": "&",
    "bitwise_or": "|",
    "bitwise_xor": "^",
    "invert": "~",
}
"""The operators that NumPy gives another name."""
