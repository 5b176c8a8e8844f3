"""Data to train on: MNIST, CIFAR-10 and NPZ files of your own, where they lie, how to fetch them, and mini-batches.

`load(name)` gives a whole data set; `mnist`, `mnist_subset` and `cifar10` give one split of it; `found()` tells what is
on this machine; `download(name)` fetches what is not, and nothing else ever does; `read_idx` and `write_idx` are the
format of the MNIST files.

>>> from tinygrad_lite.data import mini_batches, mnist_subset
>>> x, t = mnist_subset("test")
>>> [(rows.shape, labels.shape) for rows, labels in mini_batches(x, t, 400, seed=0)]
[((400, 784), (400,)), ((400, 784), (400,)), ((200, 784), (200,))]
"""

from tinygrad_lite.data.batches import mini_batches
from tinygrad_lite.data.cifar10_files import cifar10
from tinygrad_lite.data.datasets import Dataset, load
from tinygrad_lite.data.downloads import download
from tinygrad_lite.data.idx import read_idx, write_idx
from tinygrad_lite.data.inventory import found
from tinygrad_lite.data.mnist_files import mnist, mnist_subset

__all__ = [
    "Dataset",
    "cifar10",
    "download",
    "found",
    "load",
    "mini_batches",
    "mnist",
    "mnist_subset",
    "read_idx",
    "write_idx",
]
