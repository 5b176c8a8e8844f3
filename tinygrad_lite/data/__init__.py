"""Data to train on: read and write IDX files, take the embedded MNIST digits, cut an epoch into mini-batches.

>>> from tinygrad_lite.data import mini_batches, mnist_subset
>>> x, t = mnist_subset("test")
>>> [(rows.shape, labels.shape) for rows, labels in mini_batches(x, t, 400, seed=0)]
[((400, 784), (400,)), ((400, 784), (400,)), ((200, 784), (200,))]
"""

from tinygrad_lite.data.batches import mini_batches
from tinygrad_lite.data.idx import read_idx, write_idx
from tinygrad_lite.data.mnist import mnist_subset

__all__ = ["mini_batches", "mnist_subset", "read_idx", "write_idx"]
