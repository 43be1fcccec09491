"""The pretrained network: its shape here, its numbers where the package is installed."""

import numpy as np
import pytest
import torch

from nasrank.companions.backbone import through_backbone
from nasrank.encoders import efficientnet
from nasrank.encoders.efficientnet import BACKBONE_INSTALL, EfficientNetLite0, load_backbone
from nasrank.errors import DataError, UsageError
from nasrank.samples import Samples, SampleSet


def test_it_has_the_published_number_of_weights():
    network = EfficientNetLite0()
    # 4.65 million with the last layer, of 1,281 weights for each of 1,000 classes.
    assert sum(p.numel() for p in network.parameters()) == 4_652_008 - 1281 * 1000


def test_sides_are_halved_and_rounded_up_as_often_as_strides_say():
    network = EfficientNetLite0().eval()
    with torch.inference_mode():
        maps = network._conv_stem(torch.zeros(1, 3, 97, 96))
        assert maps.shape[2:] == (49, 48)
        assert network(torch.rand(2, 1, 20, 28)).shape == (2, 1280)


def test_a_convolution_pads_evenly_and_the_rest_at_the_end():
    layer = efficientnet._Same(1, 1, 3, stride=2)
    torch.nn.init.ones_(layer.weight)
    with torch.inference_mode():
        # Sides of 4 need one pixel: at the end. The window at the first pixel sees all nine.
        assert layer(torch.ones(1, 1, 4, 4))[0, 0].tolist() == [[9, 6], [6, 4]]


def test_files_of_other_contents_are_not_loaded(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save(EfficientNetLite0().state_dict(), path)
    with pytest.raises(DataError, match="is not the known"):
        load_backbone(path)
    with pytest.raises(DataError, match="cannot be read"):
        load_backbone(tmp_path / "none.pth")


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(efficientnet, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=BACKBONE_INSTALL):
        load_backbone()


def images(count=6):
    values = np.random.default_rng(0).random((count, 1, 12, 12)).astype(np.float32)
    part = Samples(values, np.arange(count) % 2, ("a", "b"), ("a note",), (("x",), ("x",)))
    return SampleSet("made", part.take(np.arange(4)), part.take(np.arange(4, count)))


def test_features_are_computed_once_and_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("NASRANK_CACHE", str(tmp_path))
    torch.manual_seed(0)
    network, calls = EfficientNetLite0().eval(), []

    def load():
        calls.append(1)
        return network

    monkeypatch.setattr(efficientnet, "load_backbone", load)
    data = images()
    first = through_backbone(data, "efficientnet-lite0")
    again = through_backbone(data, "efficientnet-lite0")
    assert len(calls) == 2, "once for each part"
    assert first.train.values.shape == (4, 1280)
    assert (first.train.values == again.train.values).all()
    assert (first.notes, first.above, first.class_names) == (
        data.notes, data.above, data.class_names,
    )  # fmt: skip
    other = SampleSet("made", Samples(data.train.values + 0.1, data.train.classes, ("a", "b")),
                      data.test)  # fmt: skip
    through_backbone(other, "efficientnet-lite0")
    assert len(calls) == 3, "other images, and the same test part"


def test_only_images_go_through_it():
    flat = Samples(np.ones((4, 3), np.float32), np.arange(4) % 2, ("a", "b"))
    with pytest.raises(UsageError, match="is for images"):
        through_backbone(SampleSet("made", flat, flat), "efficientnet-lite0")
    assert through_backbone(SampleSet("made", flat, flat), "none").train is flat


def test_it_sees_what_images_show_where_the_weights_are_installed():
    try:
        network = load_backbone()
    except UsageError as error:
        pytest.skip(str(error))
    digits = pytest.importorskip("sklearn.datasets").load_digits()
    pixels = torch.from_numpy((digits.images[:200, None] / 16).astype(np.float32))
    with torch.inference_mode():
        features = network(pixels).numpy()
    near = np.linalg.norm(features[:, None] - features, axis=2) + np.diag(np.full(200, np.inf))
    right = digits.target[near.argmin(axis=1)] == digits.target[:200]
    assert right.mean() > 0.6
