"""Devices by name."""

import pytest
import torch
from torch import nn

from affekt import AffektError
from affekt.nn.devices import available_devices, device_named, device_of


def test_every_available_name_is_a_device():
    names = available_devices()
    assert names[0] == "cpu"
    for name in names:
        assert device_named(name) == torch.device(name)


def test_auto_is_a_cuda_gpu_or_the_cpu():
    assert device_named("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_an_error_names_what_there_is():
    for name in ("abacus", "cuda:99", ""):
        with pytest.raises(AffektError, match=f"device '{name}'.* choose auto or one of cpu"):
            device_named(name)


def test_the_device_of_a_module_is_that_of_its_weights():
    assert device_of(nn.Linear(2, 2, device="meta")).type == "meta"
    assert device_of(nn.ReLU()).type == "cpu"
