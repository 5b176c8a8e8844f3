"""Fetching the published files, only ever when asked: pinned by their MD5, from one of several mirrors."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tinygrad_lite.data.cifar10_files import BINARY, META_FILES, PYTHON
from tinygrad_lite.data.folders import Folder, Layout, cache_folder
from tinygrad_lite.data.mnist_files import MNIST
from tinygrad_lite.errors import ArgumentError, DataError, MissingDependencyError
from tinygrad_lite.files import replacing

MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "cifar10": ("https://www.cs.toronto.edu/~kriz/",),
}
"""Where the files of a data set are published, in the order in which they are tried."""

_LARGEST_MEMBER = 80 << 20
_TIMEOUT = 30  # seconds without a byte


@dataclass(frozen=True)
class Published:
    """A file to fetch, pinned by the MD5 of its content; `layout` tells what it holds."""

    name: str
    md5: str
    layout: Layout

    @property
    def urls(self) -> list[str]:
        """Return the addresses of the file, in the order in which they are tried."""
        return [mirror + self.name for mirror in MIRRORS[self.layout.dataset]]


MNIST_FILES = tuple(
    Published(name, md5, MNIST)
    for name, md5 in (
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    )
)
ARCHIVES = {
    "cifar10": Published("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", BINARY),
    "cifar10-python": Published("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a", PYTHON),
}


def download(name: str, folder: Folder | None = None) -> Path:
    """Fetch "mnist", "cifar10" (the binary layout) or "cifar10-python" into `folder`, and return where its files lie.

    `folder`, the user's cache by default, gets the folder `mnist`, `cifar-10-batches-bin` or `cifar-10-batches-py`,
    which is where `load` searches. What is there already is not fetched again. Every file is held against its
    published MD5 before it takes its place, so nothing is left of a wrong or broken one. Raises DataError, which
    names the files, their MD5 and where to place them by hand, if no mirror gives them; ArgumentError for another
    name; MissingDependencyError without the package pooch.

    >>> download("mnist")  # doctest: +SKIP
    PosixPath('/home/ada/.cache/tinygrad_lite/mnist')
    """
    root = cache_folder() if folder is None else Path(folder).expanduser().absolute()
    try:
        if name == "mnist":
            return _download_mnist(root / MNIST.folder)
        if name in ARCHIVES:
            return _download_archive(ARCHIVES[name], root)
    except OSError as error:
        raise DataError(f"{str(root)!r} cannot be written: {error.strerror or error}; choose another folder") from error
    raise ArgumentError(f"a data set to fetch is one of mnist, {', '.join(ARCHIVES)}, got {name!r}")


def _download_mnist(folder: Path) -> Path:
    lacking = [file for file in MNIST_FILES if not _is_there(file, folder)]
    for i, file in enumerate(lacking):
        with _fetched(lacking[i:], folder) as path, open(path, "rb") as source, replacing(folder / file.name) as target:
            shutil.copyfileobj(source, target)
    return folder


def _download_archive(file: Published, root: Path) -> Path:
    _, missing = file.layout.look(root)
    if missing and _is_there(file, root):  # placed by hand
        _unpack(root / file.name, file.layout, root)
    elif missing:
        with _fetched([file], root) as path:
            _unpack(path, file.layout, root)
    return root / file.layout.folder


def _is_there(file: Published, folder: Path) -> bool:
    try:
        with open(folder / file.name, "rb") as stream:
            return hashlib.file_digest(stream, "md5").hexdigest() == file.md5
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextmanager
def _fetched(files: Sequence[Published], folder: Path) -> Iterator[Path]:
    """Lend the content of the first of `files`, under a temporary name in `folder`; the others are still to come."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as temporary:
        failures = []
        for url in files[0].urls:
            try:
                path = _retrieve(url, files[0], temporary)
                break
            except (OSError, ValueError) as error:  # requests raises the first, pooch the second for a wrong MD5
                failures.append(f"  {url}: {error}")
        else:
            raise DataError(_by_hand(files, folder, failures))
        yield path


def _retrieve(url: str, file: Published, folder: str) -> Path:
    try:
        import pooch
    except ImportError as error:
        raise MissingDependencyError("fetching data needs pooch: pip install 'tinygrad-lite[train]'") from error
    pooch.get_logger().setLevel("WARNING")  # it would tell of our temporary names
    sys.stderr.write(f"fetching {url}\n")
    downloader = pooch.HTTPDownloader(
        progressbar=sys.stderr.isatty() and find_spec("tqdm") is not None,
        chunk_size=1 << 16,
        timeout=_TIMEOUT,
        headers={"Accept-Encoding": "identity"},  # else a server may unpack a .gz on the way, and its MD5 is another
    )
    return Path(pooch.retrieve(url, f"md5:{file.md5}", fname=file.name, path=folder, downloader=downloader))


def _by_hand(files: Sequence[Published], folder: Path, failures: Sequence[str]) -> str:
    return "\n".join(
        [
            f"{files[0].name} could not be fetched:",
            *failures,
            f"Without a connection, fetch these on another machine, place them in {folder}, and run this again:",
            *(f"  {file.name}  MD5 {file.md5}  {' or '.join(file.urls)}" for file in files),
        ]
    )


def _unpack(archive: Path, layout: Layout, root: Path) -> None:
    names = {names[0] for split in layout.files.values() for names in split} | {META_FILES[layout.kind]}
    wanted = {f"{layout.folder}/{name}" for name in names}
    (root / layout.folder).mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.name in wanted:
                    _unpack_member(tar, member, root)
                    wanted.remove(member.name)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{archive.name} cannot be unpacked: {error}; remove it and fetch it again") from error
    if wanted:
        raise DataError(f"{archive.name} lacks {', '.join(sorted(wanted))}; remove it and fetch it again")


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    source = tar.extractfile(member) if member.isreg() and member.size <= _LARGEST_MEMBER else None
    if source is None:
        raise DataError(
            f"the archive has {member.name} of {member.size} bytes: expected a regular file of at most "
            f"{_LARGEST_MEMBER} bytes; fetch it again"
        )
    with source, replacing(root / member.name) as target:
        shutil.copyfileobj(source, target)
