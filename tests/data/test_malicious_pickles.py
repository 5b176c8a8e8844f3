"""Pickles written to run something: nothing runs, nothing grows, and each is refused."""

import copyreg
import os
import pickle
import struct
import time
import tracemalloc

import numpy as np
import pytest

from tinygrad_lite.data.cifar10_files import read_python_batch
from tinygrad_lite.data.pickles import read_pickle
from tinygrad_lite.errors import DataError

from .cifar10_content import images_of, labels_of, python_2_batch
from .idx_content import peak_memory

RUN = []
KILOBYTES = 1 << 10


def run(*arguments):
    RUN.append(arguments)


class WithState:
    def __setstate__(self, state):
        run(state)


class WithNew:
    def __new__(cls, *arguments):
        run(*arguments)
        return object.__new__(cls)


HERE = __name__.encode()
ATTACKS = {
    "REDUCE of os.system by GLOBAL": b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.",
    "REDUCE by GLOBAL": b"\x80\x02c" + HERE + b"\nrun\nK\x01\x85R.",
    "REDUCE by STACK_GLOBAL": b"\x80\x04\x8c" + bytes([len(HERE)]) + HERE + b"\x8c\x03run\x93K\x01\x85R.",
    "INST": b"\x80\x02(K\x01i" + HERE + b"\nrun\n.",
    "OBJ": b"\x80\x02(c" + HERE + b"\nrun\nK\x01o.",
    "NEWOBJ": b"\x80\x02c" + HERE + b"\nWithNew\n)\x81.",
    "NEWOBJ_EX": b"\x80\x04c" + HERE + b"\nWithNew\n)}\x92.",
    "BUILD with __setstate__": b"\x80\x02c" + HERE + b"\nWithState\n)\x81K\x01b.",
    "BUILD of a class": b"\x80\x02c" + HERE + b"\nWithState\n}K\x01K\x02sb.",
    "EXT1": b"\x80\x02\x82\xf0K\x01\x85R.",
    "EXT2": b"\x80\x02\x83\xf0\x00K\x01\x85R.",
    "EXT4": b"\x80\x02\x84\xf0\x00\x00\x00K\x01\x85R.",
    "PERSID": b"\x80\x02Pname\n.",
    "BINPERSID": b"\x80\x02X\x04\0\0\0nameQ.",
    "NEXT_BUFFER": b"\x80\x05\x97.",
    "a codec that is not latin1": b"\x80\x02c_codecs\nencode\nX\x01\0\0\0aX\x04\0\0\0idna\x86R.",
    "an attribute of NumPy": b"\x80\x02cnumpy\nload\nX\x01\0\0\0a\x85R.",
    "an array of objects": pickle.dumps({"data": np.array([run], object)}, 2),
    "a name with a dot": b"\x80\x04\x8c\x05numpy\x8c\x09f2py.main\x93)R.",
    "getattr": b"\x80\x02c__builtin__\ngetattr\ncnumpy\ndtype\nX\x04\0\0\0type\x86R.",
}


@pytest.fixture(autouse=True)
def extension(monkeypatch):
    """Put `run` where Python's own registry of extensions would let a pickle call it."""
    monkeypatch.setattr(os, "system", run)
    copyreg.add_extension(__name__, "run", 0xF0)
    RUN.clear()
    yield
    copyreg.remove_extension(__name__, "run", 0xF0)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_runs_nothing_and_is_refused_with_the_file_and_the_remedy(tmp_path, name):
    path = tmp_path / "data_batch_1"
    path.write_bytes(ATTACKS[name])
    with pytest.raises(DataError, match="which no pickle of CIFAR-10 has, so none of it was taken; fetch") as caught:
        read_python_batch(path)
    assert repr(str(path)) in str(caught.value)
    assert RUN == []


@pytest.mark.parametrize(
    "name", [name for name in ATTACKS if name.startswith(("REDUCE", "INST", "OBJ", "NEWOBJ", "BUILD with", "EXT"))]
)
def test_these_attacks_do_run_in_pythons_own_unpickler(name):
    pickle.loads(ATTACKS[name])
    assert RUN != []


def test_an_attack_within_a_batch_that_is_otherwise_right_runs_nothing(tmp_path):
    path = tmp_path / "data_batch_1"
    content = python_2_batch(images_of(2), labels_of(2))
    path.write_bytes(content.replace(b"U\x15training batch 1 of 5", b"cos\nsystem\nU\x04true\x85R"))
    with pytest.raises(DataError, match=r"the name os\.system"):
        read_python_batch(path)
    assert RUN == []


HUGE = struct.pack("<I", 0x7FFFFFFF)
GREEDY = {
    "a memo of an index of 2 billion": b"\x80\x02Nr" + HUGE + b".",
    "text of 2 GB": b"\x80\x02X" + HUGE + b"a.",
    "a string of 2 GB": b"\x80\x02T" + HUGE + b"a.",
    "bytes of 2^62": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b"a.",
    "a bytearray of 2^62": b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b"a.",
    "text of 2^64": b"\x80\x04\x8d" + struct.pack("<Q", (1 << 64) - 1) + b"a.",
    "a frame of 2^62": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",
    "an array of 10^12": b"\x80\x02cnumpy\nndarray\n\x8a\x06" + (10**12).to_bytes(6, "little") + b"\x85\x85R.",
    "an integer of 2 GB": b"\x80\x02\x8b" + HUGE + b"1.",
    "an array that claims a billion rows": b"\x80\x02cnumpy.core.numeric\n_frombuffer\n(C\x01acnumpy\ndtype\n"
    b"X\x02\0\0\0u1K\x00K\x01\x87RJ\0\xca\x9a;\x85X\x01\0\0\0CtR.",
    "names within names": b"\x80\x02(c" + b"a" * 100_000 + b"\nb\n.",
}  # fmt: skip


@pytest.mark.parametrize("name", GREEDY)
def test_a_claim_of_memory_is_refused_before_it_is_met(name):
    assert_refused(GREEDY[name])
    assert peak_memory(lambda: read_pickle(GREEDY[name], "batch")) < 100 * KILOBYTES


def assert_refused(content):
    with pytest.raises(DataError):
        read_pickle(content, "batch")


NESTED = {
    "tuples": b"\x80\x02)" + b"\x85" * 30_000 + b".",
    "nested tuples as a key": b"\x80\x02})" + b"\x85" * 100_000 + b"Ns.",
    "lists": b"\x80\x02" + b"]" * 30_000 + b"a" * 29_999 + b".",
    "dicts of dicts": b"\x80\x02" + b"}" * 30_000 + b".",
    "rows that never end": b"\x80\x02" + b"(" * 10**6 + b".",
    "one long text encoded again and again": b"\x80\x02](c_codecs\nencode\nq\x00X" + struct.pack("<I", 10**5)
    + b"a" * 10**5 + b"X\x06\0\0\0latin1\x86q\x01R" + b"h\x00h\x01R" * 40_000 + b"e.",
    "one long key again and again": b"\x80\x02}U\xffkkkk" + b"k" * 251 + b"q\x00Ns" + b"h\x00Ns" * 50_000 + b".",
}  # fmt: skip


@pytest.mark.parametrize("name", NESTED)
def test_nesting_and_repetition_are_refused_in_little_memory_and_time(name):
    start = time.process_time()
    assert_refused(NESTED[name])
    assert time.process_time() - start < 5
    assert peak_memory(lambda: read_pickle(NESTED[name], "batch")) < 40_000 * KILOBYTES


MEASURED = [
    (b"<html>", "not a pickle of protocol 2 to 5: expected it to start with 80, found 3c"),
    (b"", "found nothing"),
    (b"(dp1\nS'data'\np2\n.", "not a pickle of protocol 2 to 5"),
    (b"\x80\x06}.", "a protocol other than 2 to 5"),
    (b"\x80\x02", "cut short: expected 1 bytes at byte 2, found 0; fetch"),
    (b"\x80\x02}", "cut short"),
    (b"\x80\x02].", "does not hold a dict, but a list"),
    (b"\x80\x02}.tail", "an end that is not at the end"),
    (b"\x80\x02.", "an end that is not at the end"),
    (b"\x80\x02}(.", "an end that is not at the end"),
    (b"\x80\x02}}.", "an end that is not at the end"),
    (b"\x80\x02](Na.", "a value taken that was never given"),
    (b"\x80\x02](cos\nsystem\ne.", r"the name os\.system"),
    (b"\x80\x02cnumpy\ndtype\n)R.", r"a call of numpy\.dtype with other arguments than NumPy's"),
    (b"\x80\x02](R.", "a value taken that was never given"),
    (b"\x80\x02e.", "the end of a row that never began"),
    (b"\x80\x02}s.", "a value taken that was never given"),
    (b"\x80\x02h\x07.", "a value recalled that was never given"),
    (b"\x80\x02}(Nu.", "a key without a value"),
    (b"\x80\x02}K\x01Ns.", "a key that is not a short name"),
    (b"\x80\x02NNa.", "something put into a list that is not one"),
    (b"\x80\x02X\x01\0\0\0\xff.", "text that is not UTF-8"),
    (b"\x80\x04\x95\x03\0\0\0\0\0\0\0}.", "a frame that does not fit"),
    (b"\x80\x04\x95\x02\0\0\0\0\0\0\0M\1\1.", "a frame that ends in the middle of an instruction"),
    (b"\x80\x02cnumpy", "a name without an end"),
    (b"\x80\x04NN\x93.", "a name that is no text"),
    (b"\x80\x02NNR.", "a call of what is not a function"),
    (b"\x80\x02}Nb.", "a state that is not an array's"),
    (
        "\x80\x02c_codecs\nencode\nX\x02\0\0\0ĀX\x06\0\0\0latin1\x86R.".encode().replace(b"\xc2", b""),
        "bytes beyond 255",
    ),
    (
        b"\x80\x02}X\x01\0\0\0acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87Rs.",
        "without values",
    ),
]


@pytest.mark.parametrize(("content", "message"), MEASURED, ids=[message for _, message in MEASURED])
def test_a_refusal_tells_what_is_wrong(content, message):
    with pytest.raises(DataError, match=message) as caught:
        read_pickle(content, "'data_batch_1'")
    assert str(caught.value).startswith("'data_batch_1' ")


def test_the_machine_reads_what_python_writes_of_plain_values():
    value = {"a": [None, True, False, 0, 255, 256, 65_536, -1, "é", b"\xff", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]}
    value |= {"b": {"c": {}}, "d": [[], ["e"]], "f": "x" * 300, "g": b"y" * 300}
    for protocol in (3, 4, 5):
        assert read_pickle(pickle.dumps(value, protocol), "batch") == value


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">i2", "<i4", ">u4", "<i8", ">i8", "u8"])
def test_arrays_of_integers_are_read_in_every_protocol_and_order(protocol, order, dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype, order=order)
    found = read_pickle(pickle.dumps({"data": array}, protocol), "batch")["data"]
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


def test_the_names_of_numpy_before_and_since_its_second_version_are_both_read_and_nothing_warns():
    content = pickle.dumps({"data": np.arange(3)}, 2)
    assert content.count(b"numpy._core.multiarray") == 1
    for name in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        renamed = content.replace(b"numpy._core.multiarray", name)
        assert read_pickle(renamed, "batch")["data"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros(3, "S1"), np.zeros(3, object), np.zeros(3, "u1,i2")], ids=str)
def test_an_array_of_anything_but_integers_is_refused(array):
    assert_refused(pickle.dumps({"data": array}, 2))


def test_a_refusal_leaves_nothing_in_memory():
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for content in [*ATTACKS.values(), *GREEDY.values()]:
        assert_refused(content)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 100 * KILOBYTES
