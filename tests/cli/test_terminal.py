"""On a terminal the demo shows a bar on stderr, and its one line with the accuracy on stdout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading

import pytest

from tests.cli.runs import ROOT

pty = pytest.importorskip("pty", reason="pseudo-terminals are POSIX's")
termios = pytest.importorskip("termios", reason="pseudo-terminals are POSIX's")


class Screen:
    """A pseudo-terminal whose output is read as it comes."""

    def __init__(self) -> None:
        self._reading, self.writing = pty.openpty()
        termios.tcsetwinsize(self.writing, (24, 100))
        self._content = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                part = os.read(self._reading, 65536)
            except OSError:  # Linux says so when the last writer has closed
                return
            if not part:
                return
            self._content += part

    def close(self) -> str:
        os.close(self.writing)
        self._reader.join(timeout=60)
        os.close(self._reading)
        return self._content.decode()


def on_terminals(folder, one_for_both: bool) -> tuple[int, str, str]:
    """Run the demo and return its status, what stdout showed and what stderr showed, of one screen or of two."""
    out, err = Screen(), Screen()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tinygrad_lite", "demo", "--epochs", "2", "--out", folder],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=out.writing,
            stderr=out.writing if one_for_both else err.writing,
            timeout=300,
        )
    finally:
        shown = out.close(), err.close()
    return done.returncode, *shown


def accuracy_lines(screen: str) -> list[str]:
    return [
        line for line in screen.replace("\r\n", "\n").split("\n") if re.fullmatch(r"test accuracy: \d+\.\d\d %", line)
    ]


def test_stdout_has_one_line_with_the_accuracy_and_the_bar_stays_on_stderr(tmp_path):
    status, out, err = on_terminals(tmp_path, one_for_both=False)
    assert status == 0, err
    assert len(accuracy_lines(out)) == 1
    assert out.count("test accuracy") == 1
    assert "rows/s" not in out
    assert "\r" not in out.replace("\r\n", "")
    frames = [frame for frame in re.split(r"[\r\n]+", err) if frame.strip()]
    assert frames[-1].startswith("epoch 2/2: 100%")
    assert "epoch 2/2" in err


def test_on_one_screen_the_line_with_the_accuracy_stands_by_itself(tmp_path):
    status, screen, _ = on_terminals(tmp_path, one_for_both=True)
    assert status == 0, screen
    assert len(accuracy_lines(screen)) == 1
    assert "epoch 2/2: 100%" in screen
