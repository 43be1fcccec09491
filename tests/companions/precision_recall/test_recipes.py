import pytest

from nasrank.companions.precision_recall.options import TrainConfig
from nasrank.companions.precision_recall.plan import plan_runs
from nasrank.companions.precision_recall.recipes import recipe_for


@pytest.mark.parametrize(
    ("shape", "noise"), [((2,), 0.5), ((12,), 0.5), ((1, 14, 14), 2.0), ((1, 28, 28), 4.0)]
)
def test_noise_grows_with_the_root_of_the_numbers_of_a_sample(shape, noise):
    config = TrainConfig(lambdas=(1.0,), seeds=1, methods=("pr", "tuned"))
    scratch, tuned = plan_runs(config, "f" * 16, images=len(shape) == 3)
    assert recipe_for(scratch, shape).noise == pytest.approx(noise)
    assert recipe_for(tuned, shape).noise == pytest.approx(0.6 * noise)
    assert recipe_for(tuned, shape).rate == 2 * recipe_for(scratch, shape).rate
