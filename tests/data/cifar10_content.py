"""CIFAR-10 files written byte by byte, and read by Python's own unpickler, so that no test trusts the code it tests."""

import io
import pickle
import struct
import warnings
from pathlib import Path

import numpy as np

PIXELS = 3072
NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def images_of(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (rows, PIXELS), np.uint8)


def labels_of(rows: int, seed: int = 0) -> list[int]:
    return np.random.default_rng([seed, 1]).integers(0, 10, rows).tolist()


def binary_batch(images: np.ndarray, labels: list[int]) -> bytes:
    return b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, images, strict=True))


def python_2_batch(images: np.ndarray, labels: list[int]) -> bytes:
    """Return what cPickle of Python 2 wrote: strings of bytes, protocol 2, as the published files have them."""
    rows, columns = images.shape
    short = {text: b"U" + bytes([len(text)]) + text for text in (b"b", b"u1", b"|", b"data", b"labels", b"batch_label")}
    shape = b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
    dtype = b"cnumpy\ndtype\nq\x07" + short[b"u1"] + b"K\x00K\x01\x87q\x08Rq\x09"
    dtype += b"(K\x03" + short[b"|"] + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85q\x03"
    array += short[b"b"] + b"q\x04\x87q\x05Rq\x06"
    array += b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<I", images.size) + images.tobytes() + b"r\0\1\0\0tb"
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    label = b"U\x15training batch 1 of 5q\x0b"
    items = short[b"batch_label"] + label + short[b"labels"] + b"]q\x0a(" + numbers + b"e" + short[b"data"] + array
    return b"\x80\x02}q\x00(" + items + b"u."


def python_batch(images: np.ndarray, labels: list[int], protocol: int = 2, keys: type = bytes) -> bytes:
    """Return what Python 3 writes, in the bytes that Python 2 has as strings, or in text."""
    batch = {"batch_label": "training batch 1 of 5", "labels": labels, "data": images}
    batch["filenames"] = [f"image_{row}.png" for row in range(len(images))]
    if keys is bytes:
        batch = {key.encode(): value for key, value in batch.items()}
        batch[b"batch_label"] = b"training batch 1 of 5"
    return pickle.dumps(batch, protocol)


class _Dtype:
    def __init__(self, code: str | bytes, _align: bool, _copy: bool):
        self.dtype = np.dtype(code.decode() if isinstance(code, bytes) else code)

    def __setstate__(self, state: tuple) -> None:
        version, order, *rest = state
        assert [version, *rest] == [3, None, None, None, -1, -1, 0]
        self.dtype = self.dtype.newbyteorder(order.decode() if isinstance(order, bytes) else order)


class _Array:
    def __setstate__(self, state: tuple) -> None:
        version, shape, dtype, by_columns, content = state
        assert version == 1
        self.values = np.ndarray(shape, dtype.dtype, content, order="F" if by_columns else "C")
        assert self.values.nbytes == len(content)


def _reconstruct(kind: type, shape: tuple, letter: str | bytes) -> _Array:
    assert (kind, shape) == (_Array, (0,))
    assert letter in ("b", b"b")
    return _Array()


def _frombuffer(content: bytes, dtype: _Dtype, shape: tuple, order: str) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, dtype, {"F": True, "C": False}[order], content))
    return array


class _Reader(pickle._Unpickler):  # the one in Python, whose memo is a dict and not an array as long as an index
    def find_class(self, module: str, name: str) -> object:
        # NumPy's own dtype and array can crash on a damaged state, so they are spelled out above.
        allowed = {
            ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
            ("numpy", "dtype"): _Dtype,
            ("numpy", "ndarray"): _Array,
        }
        for core in ("numpy.core", "numpy._core"):  # the name before and since NumPy 2
            allowed[f"{core}.multiarray", "_reconstruct"] = _reconstruct
            allowed[f"{core}.numeric", "_frombuffer"] = _frombuffer
        return allowed[module, name]


def decode_pickle(content: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the images and labels that Python itself sees in a pickle, or None where it sees none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batch = _Reader(io.BytesIO(content), encoding="bytes").load()
        batch = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in batch.items()}
        images, labels = batch["data"].values, batch["labels"]
        right = images.dtype == np.uint8 and images.ndim == 2 and images.shape[1] == PIXELS and len(images) > 0
        right = right and len(labels) == len(images) and all(type(label) is int and 0 <= label <= 9 for label in labels)
        return (images, np.array(labels)) if right else None
    except Exception:  # whatever damage does to an unpickler, it is no batch
        return None


def decode_binary(content: bytes) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the images and labels in a file of the binary layout, or None where it is none."""
    size = 1 + PIXELS
    records = [content[start : start + size] for start in range(0, len(content), size)]
    if not records or len(records[-1]) != size or any(record[0] > 9 for record in records):
        return None
    images = np.array([np.frombuffer(record[1:], np.uint8) for record in records])
    return images, np.array([record[0] for record in records])


def write_binary(folder: Path, rows: int = 2) -> None:
    """Write the binary layout, each file of `rows` images and of its own seed, from 1 to 5 and 6 for the test."""
    folder.mkdir(parents=True)
    for seed, name in enumerate([*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"], 1):
        (folder / name).write_bytes(binary_batch(images_of(rows, seed), labels_of(rows, seed)))


def write_python(folder: Path, rows: int = 2, protocol: int = 2) -> None:
    """Write the Python layout of the same images and labels."""
    folder.mkdir(parents=True)
    for seed, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"], 1):
        (folder / name).write_bytes(python_batch(images_of(rows, seed), labels_of(rows, seed), protocol))
