import numpy as np
import torch

from nasrank.companions.hard_samples.batches import Batches, augment


def test_batches_of_p_classes_with_k_samples():
    classes = np.repeat(np.arange(6), 20)
    batches = Batches(classes, size=32, images_per_class=8, seed=0)
    assert batches.per_epoch == 4  # 120 samples, about 32 each
    for places in batches.epoch():
        counts = np.bincount(classes[places], minlength=6)
        assert sorted(counts.tolist()) == [0, 0, 8, 8, 8, 8]
        assert len(np.unique(places)) == 32


def test_small_classes_give_what_they_have():
    classes = np.array([0, 0, 0, 0, 0, 1, 2, 2])
    seen = np.concatenate(list(Batches(classes, size=64, images_per_class=8, seed=0).epoch()))
    assert sorted(seen.tolist()) == list(range(8))


def test_methods_of_a_seed_see_the_same_batches():
    classes = np.repeat(np.arange(5), 9)

    def drawn(seed):
        batches = Batches(classes, size=20, images_per_class=4, seed=seed)
        return [places.tolist() for _ in range(3) for places in batches.epoch()]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_shifted_images_hold_what_they_held():
    image = torch.zeros(400, 1, 20, 20)
    image[:, :, 10, 10] = 100.0
    moved = augment(image, torch.Generator().manual_seed(0))
    places = moved[:, 0].flatten(1).argmax(dim=1)
    down, right = places // 20 - 10, places % 20 - 10
    # A tenth of 20 pixels either way, in both directions, each as often.
    for offset in (down, right):
        assert set(offset.tolist()) == {-2, -1, 0, 1, 2}
    away = moved.flatten(1).median(dim=1).values
    assert abs(away.mean()) < 0.01
    noise = moved[:, 0, 0, 0]
    assert 0.04 < noise.std() < 0.06


def test_edges_are_repeated_and_small_images_move_by_one():
    moved = augment(torch.ones(50, 2, 8, 8), torch.Generator().manual_seed(0))
    assert moved.shape == (50, 2, 8, 8)
    assert (moved - 1).abs().max() < 0.4


def test_vectors_get_noise():
    moved = augment(torch.zeros(100, 30), torch.Generator().manual_seed(0))
    assert 0.08 < moved.std() < 0.12
