"""What holds for every loss, a new one included."""

import inspect
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from nasrank.losses import LOSSES, LossSpec, prepare, resolve
from nasrank.losses.catalogue import LossRegistry
from nasrank.losses.named import options_of

EVERY = pytest.mark.parametrize("name", list(LOSSES))
RANKING = pytest.mark.parametrize(
    "name", [name for name in LOSSES if not LOSSES.entry(name).scale_bound]
)
SEEDS = st.integers(0, 2**31)


def draw(seed: int, *shape: int, levels: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if levels:
        return torch.randint(0, levels, shape, generator=generator).double()
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def evaluate(
    name: str | LossSpec, scores: Tensor, raw: Tensor, where: Tensor | None = None
) -> Tensor:
    """The value per list after the labels are prepared as in training."""
    prepared = prepare(name, raw, where)
    labels = prepared.labels.to(scores.dtype)
    arguments = {key: value.to(scores.dtype) for key, value in prepared.arguments.items()}
    return resolve(name)(scores, labels, where=where, reduction="none", **arguments)


def gradient(name: str, scores: Tensor, raw: Tensor, where: Tensor | None = None) -> Tensor:
    leaf = scores.clone().requires_grad_()
    evaluate(name, leaf, raw, where).sum().backward()
    return leaf.grad


def kendall(scores: Tensor, labels: Tensor) -> float:
    pairs = (scores[:, None] - scores).sign() * (labels[:, None] - labels).sign()
    return pairs.sum().item() / (len(scores) * (len(scores) - 1))


@EVERY
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
@pytest.mark.parametrize("levels", [0, 1, 3])
def test_value_and_gradient_are_finite(name, scale, levels):
    scores = (scale * draw(1, 4, 9)).float()
    raw = draw(2, 4, 9, levels=levels)
    assert evaluate(name, scores, raw).isfinite().all()
    assert gradient(name, scores, raw).isfinite().all()


@EVERY
@pytest.mark.parametrize("levels", [0, 3])
@pytest.mark.parametrize("padded", [False, True])
def test_gradient_matches_finite_differences(name, levels, padded):
    raw = draw(4, 2, 6, levels=levels)
    where = torch.arange(6) < torch.tensor([[6], [4]]) if padded else None
    scores = draw(3, 2, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda s: evaluate(name, s, raw, where), scores)


@EVERY
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, n=st.integers(1, 7), levels=st.sampled_from([0, 2, 4]))
def test_the_order_of_the_items_changes_nothing(name, seed, n, levels):
    scores, raw = draw(seed, n), draw(seed + 1, n, levels=levels)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    value = evaluate(name, scores, raw)
    torch.testing.assert_close(evaluate(name, scores[order], raw[order]), value)
    torch.testing.assert_close(
        gradient(name, scores[order], raw[order]), gradient(name, scores, raw)[order]
    )


@EVERY
@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS,
    real=st.lists(st.booleans(), min_size=1, max_size=9).filter(any),
    rubbish=st.sampled_from([0.0, -1.0, 1e30, torch.inf, -torch.inf, torch.nan]),
)
def test_what_stands_at_padding_changes_nothing(name, seed, real, rubbish):
    where = torch.tensor(real)
    n = int(where.sum())
    scores, raw = draw(seed, n), draw(seed + 1, n, levels=4)
    padded_scores = torch.full((len(real),), rubbish, dtype=torch.float64)
    padded_raw = padded_scores.clone()
    padded_scores[where], padded_raw[where] = scores, raw
    torch.testing.assert_close(
        evaluate(name, padded_scores, padded_raw, where), evaluate(name, scores, raw)
    )
    slope = gradient(name, padded_scores, padded_raw, where)
    torch.testing.assert_close(slope[where], gradient(name, scores, raw))
    assert (slope[~where] == 0).all()


@EVERY
def test_rubbish_in_labels_that_are_prepared_already_changes_nothing(name):
    where = torch.tensor([True, True, False, True])
    scores, raw = draw(5, 4), draw(6, 4)
    prepared = prepare(name, raw, where)
    dirty = torch.where(where, prepared.labels, torch.nan)
    options = {"where": where, **prepared.arguments}
    leaf = torch.where(where, scores, torch.nan).requires_grad_()
    value = LOSSES[name](leaf, dirty, **options)
    value.backward()
    torch.testing.assert_close(value, LOSSES[name](scores, prepared.labels, **options))
    assert leaf.grad.isfinite().all()
    # Without the argument the list makes its own, which must not look at padding either.
    if name != "ew":  # which then takes shares alone
        assert LOSSES[name](scores, dirty, where=where).isfinite()


@EVERY
def test_a_constant_added_to_all_scores_changes_nothing_where_declared(name):
    scores, raw = draw(7, 8), draw(8, 8)
    same = torch.allclose(
        evaluate(name, scores + 3, raw), evaluate(name, scores, raw), rtol=1e-9, atol=0
    )
    assert same == LOSSES.entry(name).shift_invariant


@EVERY
def test_only_the_order_of_labels_counts_where_declared(name):
    scores = draw(9, 8)
    labels = torch.tensor([0, 0.25, 0.25, 0.5, 0.75, 1, 0, 0.5], dtype=torch.float64)
    stretched = labels**3 / 2 + labels / 2
    loss = LOSSES[name]
    same = torch.allclose(loss(scores, labels), loss(scores, stretched), rtol=1e-9, atol=0)
    assert same == LOSSES.entry(name).order_only


@RANKING
def test_after_preparation_only_the_order_of_labels_counts(name):
    scores, raw = draw(9, 8), draw(10, 8, levels=5)
    torch.testing.assert_close(evaluate(name, scores, raw), evaluate(name, scores, raw.exp()))


@EVERY
def test_scores_equal_to_the_labels_are_perfect_where_declared(name):
    prepared = prepare(name, draw(11, 8))
    labels = prepared.labels / 100  # within any margin
    perfect = LOSSES[name](labels, labels, **prepared.arguments).item() == 0
    assert perfect == LOSSES.entry(name).scale_bound


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_list_in_a_batch_has_the_value_it_has_alone(name, dtype):
    scores, raw = draw(12, 3, 2, 7).to(dtype), draw(13, 3, 2, 7, levels=5).to(dtype)
    where = draw(14, 3, 2, 7) > -1
    together, slope = evaluate(name, scores, raw, where), gradient(name, scores, raw, where)
    assert together.shape == (3, 2)
    for i, j in torch.cartesian_prod(torch.arange(3), torch.arange(2)).tolist():
        alone = scores[i, j], raw[i, j], where[i, j]
        # To the last bits only, since exp2 and log2 round differently at the end of a tensor.
        close = {"rtol": 8 * torch.finfo(dtype).eps, "atol": 8 * torch.finfo(dtype).eps}
        torch.testing.assert_close(evaluate(name, *alone), together[i, j], **close)
        torch.testing.assert_close(gradient(name, *alone), slope[i, j], **close)


@EVERY
def test_another_list_in_the_batch_changes_nothing(name):
    scores, raw = draw(15, 2, 6), draw(16, 2, 6)
    ill = scores.clone()
    ill[1] = torch.nan
    assert torch.equal(evaluate(name, scores, raw)[0], evaluate(name, ill, raw)[0])


@EVERY
def test_the_mean_is_over_lists(name):
    scores, labels = draw(17, 3, 2, 7), draw(18, 3, 2, 7).sigmoid()
    loss = LOSSES[name]
    each = loss(scores, labels, reduction="none")
    torch.testing.assert_close(loss(scores, labels), each.mean())
    assert loss(scores, labels).shape == ()
    assert loss(scores[:0], labels[:0]).item() == 0
    # A type error where shapes and types are checked at run time.
    with pytest.raises((ValueError, TypeError), match="'sum'"):
        loss(scores, labels, reduction="sum")


# Every other law here checks types and shapes; 1,500 steps would do so 1,500 times.
@pytest.mark.usefixtures("unchecked")
@EVERY
def test_minimising_the_loss_sorts_the_scores(name):
    raw = draw(20, 5, 6)
    prepared = prepare(name, raw)
    scores = (0.1 * draw(30, 5, 6)).requires_grad_()
    optimiser = torch.optim.Adam([scores], lr=0.1)
    # A shrinking step, since the losses with a kink would circle the optimum; and many steps,
    # since lambdarank all but ignores the last two items until the others stand apart.
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.001, total_iters=1500)
    for _ in range(1500):
        optimiser.zero_grad()
        LOSSES[name](scores, prepared.labels, **prepared.arguments).backward()
        optimiser.step()
        schedule.step()
    for i in range(5):
        assert kendall(scores[i].detach(), raw[i]) == 1


@EVERY
@pytest.mark.parametrize("shape", [(0,), (2, 0)])
def test_no_items_give_zero_not_nan(name, shape):
    scores, raw = torch.zeros(shape), torch.zeros(shape)
    assert (evaluate(name, scores, raw) == 0).all()
    assert gradient(name, scores, raw).shape == shape
    nowhere = torch.zeros(shape, dtype=torch.bool)
    assert (evaluate(name, scores, raw, nowhere) == 0).all()


@EVERY
def test_nothing_but_padding_gives_zero_not_nan(name):
    scores, raw = torch.full((2, 4), torch.nan), torch.full((2, 4), torch.nan)
    where = torch.zeros(2, 4, dtype=torch.bool)
    assert (evaluate(name, scores, raw, where) == 0).all()
    assert (gradient(name, scores, raw, where) == 0).all()
    assert LOSSES[name](scores, raw, where=where).item() == 0


@RANKING
@pytest.mark.parametrize("n", [1, 5])
def test_nothing_to_rank_gives_zero_not_nan(name, n):
    scores, raw = draw(19, 2, n), torch.full((2, n), 93.7, dtype=torch.float64)
    assert (evaluate(name, scores, raw) == 0).all()
    assert (gradient(name, scores, raw) == 0).all()
    where = torch.tensor([True] * (n - 1) + [False])
    raw[:, -1] = 10.0
    assert (evaluate(name, scores, raw, where.expand(2, n)) == 0).all()


@EVERY
def test_every_option_changes_the_loss(name):
    scores, raw = draw(40, 8), draw(41, 8)
    raw[0] = -20.0  # far enough out to be clipped
    default = evaluate(name, scores, raw)
    for option in options_of(name).values():
        if option.words:
            values = [word for word in option.words if word != option.default]
        else:
            values = [2 if option.default is None else 3 * option.default]
        for value in values:
            spec = LossSpec(name, ((option.name, value),))
            assert evaluate(spec, scores, raw) != default


@EVERY
def test_a_loss_is_a_function_of_scores_and_labels(name):
    function = LOSSES[name]
    scores, labels, *rest = inspect.signature(function).parameters.values()
    assert (scores.name, labels.name) == ("scores", "labels")
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in rest)
    assert all(parameter.default is not inspect.Parameter.empty for parameter in rest)
    assert {"where", "reduction"} <= {parameter.name for parameter in rest}


@EVERY
def test_what_is_known_of_a_loss_agrees_with_its_function(name):
    info = LOSSES.entry(name)
    assert info.name == name
    assert info.function is LOSSES[name]
    assert info.target == f"nasrank.losses.{info.family}:{info.function.__name__}"
    assert info.formula
    author, _, year = info.reference.partition(" (")
    assert author.removesuffix(" et al.") in info.function.__doc__
    assert year[:4] in info.function.__doc__


@EVERY
@pytest.mark.parametrize("section", [".. math::", "Args:", "Returns:", "References:", "Example:"])
def test_the_documentation_is_complete(name, section):
    assert section in LOSSES[name].__doc__


def test_all_twelve_are_there():
    assert set(LOSSES) == {
        *("mse", "hr", "lr", "mse+sr", "listmle", "ew", "mape", "warp"),
        *("listnet", "lambdarank", "approxndcg", "softtau"),
    }


def test_names_and_facts_need_no_torch():
    code = (
        "import sys; from nasrank.losses import LOSSES, parse, split_list;"
        "list(LOSSES); LOSSES.entry('mape'); parse('pw(hr,mape,50)');"
        "split_list('mse,hr(margin=1)');"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_loss_of_another_package_is_known_by_its_entry_point(monkeypatch):
    points = [EntryPoint("huber", "torch.nn.functional:huber_loss", "nasrank.losses")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    losses = LossRegistry(())
    assert list(losses) == []
    info = losses.entry("huber")
    assert (info.family, info.targets, info.scale, info.derived) == (
        "extension",
        "raw",
        "zscore",
        (),
    )
    assert info.target == "torch.nn.functional:huber_loss"
    # What it returns is checked, as of any code that is not nasrank's.
    assert losses["huber"].__wrapped__ is torch.nn.functional.huber_loss
