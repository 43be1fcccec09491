"""The generators of two-stage, on embeddings that stand still."""

import pytest
import torch
from torch import nn

from nasrank.companions.hard_samples.mining import Triplets
from nasrank.companions.hard_samples.stretching import stretch_factor
from nasrank.companions.hard_samples.synthesis import Batch, Sizes
from nasrank.companions.hard_samples.two_stage import TwoStage
from nasrank.errors import UsageError
from nasrank.seeds import seeded_torch

SIZES = Sizes(features=6, embedding=6, classes=3, margin=0.2)


def head(features):
    return nn.functional.normalize(features, dim=-1)


def still_batch(progress=1.0, gap=1.0, loss=0.1):
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(6)[:3] * 2
    classes = torch.arange(3).repeat_interleave(8)
    features = centres[classes] + 0.3 * torch.randn(24, 6, generator=generator)
    anchor = torch.arange(24)
    positive = (anchor // 8) * 8 + (anchor + 1) % 8
    negative = (anchor + 8) % 24
    triplets = Triplets(anchor, positive, negative)
    return Batch(features, head(features), classes, triplets, head, loss, 0.3, 0.3 + gap, progress)


def made(steps=0, **options):
    with seeded_torch(0, stream="test"):
        synthesiser = TwoStage(SIZES, torch.device("cpu"), **options)
    batch = still_batch()
    for _ in range(steps):
        synthesiser.learn(batch)
    return synthesiser, synthesiser.generate(batch), batch


def test_before_learning_it_only_stretches():
    _, found, batch = made(stretch=0.4, reach=3.0)
    anchor, positive, negative = batch.triplets
    real = batch.embeddings[anchor] - batch.embeddings[positive]
    factor = stretch_factor(real.norm(dim=1), by=0.4, reach=3.0)[:, None]
    apart = batch.features[anchor] - batch.features[positive]
    torch.testing.assert_close(found.positive_features, batch.features[positive] - factor * apart)
    torch.testing.assert_close(found.negative_features, batch.features[negative])
    assert found.distances[0].mean() > real.norm(dim=1).mean()


def test_nothing_is_stretched_beyond_the_reach():
    _, found, batch = made(stretch=0.4, reach=1e-6)
    positive = batch.triplets.positive
    torch.testing.assert_close(found.positive, batch.embeddings[positive])


def test_negatives_come_nearer_the_higher_the_threshold():
    distances = [
        made(30, without="adaptation", start=end, end=end, reverse=20.0)[1].distances[1].mean()
        for end in (-2.0, 0.0)
    ]
    assert distances[0] > distances[1] + 0.1


def test_the_threshold_follows_its_rule():
    for options, threshold in (
        ({"adaptive": "gap", "gap_scale": 2.0}, -0.1),
        ({"adaptive": "schedule"}, 0.0),
        ({"without": "adaptation"}, 0.0),
    ):
        # The gap of 1 is half its scale: half the way from -.2 to 0.
        assert made(1, **options)[0].threshold == pytest.approx(threshold)


def test_classes_are_kept():
    synthesiser, found, batch = made(100, keep_class=5.0, meet=0.0)
    with torch.no_grad():
        for features, place in (
            (found.positive_features, batch.triplets.positive),
            (found.negative_features, batch.triplets.negative),
        ):
            guessed = synthesiser._classifier.net(features).argmax(dim=1)
            assert (guessed == batch.classes[place]).float().mean() > 0.8


def test_without_a_condition_the_class_does_not_matter():
    for without, same in (("nothing", False), ("condition", True)):
        synthesiser, _, batch = made(5, without=without)
        swapped = Batch(
            batch.features, batch.embeddings, (batch.classes + 1) % 3, batch.triplets, head,
            0.1, 0.3, 1.3, 1.0,
        )  # fmt: skip
        one, other = synthesiser.generate(batch), synthesiser.generate(swapped)
        assert torch.equal(one.negative, other.negative) is same
        assert torch.equal(one.positive, other.positive) is same


def test_left_out_stages_are_real():
    _, found, batch = made(3, without="stage-one")
    assert found.positive_features is None
    assert torch.equal(found.positive, batch.embeddings[batch.triplets.positive])
    _, found, batch = made(3, without="stage-two")
    assert found.negative_features is None
    assert torch.equal(found.negative, batch.embeddings[batch.triplets.negative])


def test_learning_leaves_the_metric_alone():
    synthesiser, _, batch = made()
    features = batch.features.clone().requires_grad_()
    learning = Batch(
        features, head(features), batch.classes, batch.triplets, head, 0.1, 0.3, 1.3, 0.5
    )
    synthesiser.learn(learning)
    assert features.grad is None
    # Through what is generated the metric does learn.
    synthesiser.generate(learning).loss(2.0).backward()
    assert features.grad.any()


def test_how_losses_are_weighed():
    synthesiser, _, _ = made(weight=3.0)
    combined = synthesiser.combine(torch.tensor(1.0), torch.tensor(2.0))
    assert combined.item() == pytest.approx((1 + 3 * 2) / 4)


def met(found, threshold):
    near, far = found.distances
    return float((far + threshold <= near).float().mean())


def test_the_weight_grows_until_negatives_are_as_near_as_asked_for():
    slack, pressed = (
        met(made(400, without="adaptation", start=0.0, end=0.0, keep_place=3.0, meet=meet)[1], 0.0)
        for meet in (0.0, 0.9)
    )
    assert slack < 0.2
    assert pressed > 0.7


def test_a_share_to_meet_is_a_share():
    with pytest.raises(UsageError, match=r"meet 1\.5 should be a share"):
        made(meet=1.5)
