"""The reference of all settings says what there is, and what their defaults are."""

from __future__ import annotations

import pathlib
import re

import pytest

import tinygrad_lite.experiments
from tinygrad_lite.experiments import Experiment, experiment_from
from tinygrad_lite.experiments.reading import PATHS

README = (pathlib.Path(tinygrad_lite.experiments.__file__).parent / "README.md").read_text(encoding="utf-8")
(TOML,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)


def test_the_declaration_of_the_reference_is_that_of_the_defaults():
    assert experiment_from(TOML) == Experiment()


def test_every_setting_stands_in_the_reference():
    named = set(re.findall(r"^(?:# )?\[*([\w.]+)\]*", TOML, re.MULTILINE)) | set(
        re.findall(r"^(?:# )?([\w.]+) =", TOML, re.MULTILINE)
    )
    assert {path for path in PATHS if not {path, path.rpartition(".")[2]} & named} == set()


@pytest.mark.parametrize("setting", re.findall(r"^# ([\w]+ = [^#\n]+)", TOML.split("# [train.early")[0], re.MULTILINE))
def test_what_is_commented_out_is_a_setting_of_its_section_by_its_name(setting):
    name = setting.split(" = ")[0]
    assert any(path.rpartition(".")[2] == name for path in PATHS), setting
