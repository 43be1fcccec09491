"""Predictors of others: modules of PyTorch Geometric, and regressors of scikit-learn.

A module is trained with any loss, as this package's networks are: the same lists in the same
order, optimiser, rate and epochs. Its constructor may ask for ``operations``, the number of
operation codes, and ``numbers``, the number of columns of ``data.numbers``::

    class MyModel(torch.nn.Module):
        def __init__(self, operations, width=64):
            ...
        def forward(self, data):  # x, edge_index, edge_weight, batch, numbers
            ...  # one score for each graph

A regressor is anything with ``fit(X, y)`` and ``predict(X)``, or a function that makes one.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy.typing import NDArray

from nasrank.errors import UsageError
from nasrank.graphs import GraphBatch
from nasrank.losses import PiecewiseSpec, prepare, resolve
from nasrank.named import Count, Option, Positive, options_of_signature
from nasrank.own import guarded, place_of
from nasrank.predictors.columns import GraphColumns
from nasrank.predictors.ensemble import Ensemble, spelled_out
from nasrank.predictors.predictor import Epoch, Fitted, Given, Member, Predictor
from nasrank.predictors.standard import Standard
from nasrank.predictors.targets import robust_scores
from nasrank.seeds import derive_seed, numpy_generator, seeded_torch

__all__ = ["OwnModule", "OwnRegressor", "adapted"]

_GIVEN = ("operations", "numbers")
"""Arguments of a module's constructor that come from the space."""
_SCORED = 512
"""Graphs scored at once."""


def adapted(thing: Any, name: str) -> type[Predictor]:  # noqa: ANN401 - whatever the user has
    """Make a predictor of what a location or an entry point names.

    Args:
        thing: A `Predictor`, which is returned as it is; a class of modules or of regressors, a
            function that makes either, or a regressor, which is copied.
        name: How the user calls it, for errors.

    Raises:
        UsageError: It is none of these, or cannot be made without further arguments.
    """
    if inspect.isclass(thing) and issubclass(thing, Predictor):
        return thing
    make = thing if callable(thing) and not hasattr(thing, "predict") else None
    if make is None and not inspect.isclass(thing) and _is_regressor(thing):
        make = partial(copy.deepcopy, thing)
    if make is None and inspect.isclass(thing):
        make = thing
    if make is None:
        raise _neither(thing, name)
    given = dict.fromkeys(_asked(make), 2)
    with guarded(thing, f"while {name} was made"), seeded_torch(0, stream="trial"):
        trial = make(**given)
    if isinstance(trial, torch.nn.Module):
        base: type[_Own] = OwnModule
    elif _is_regressor(trial):
        base = OwnRegressor
    else:
        raise _neither(thing, name)
    return type(base.__name__, (base,), {"make": staticmethod(make), "thing": thing, "name": name})


def _is_regressor(thing: object) -> bool:
    return callable(getattr(thing, "fit", None)) and callable(getattr(thing, "predict", None))


def _asked(make: Callable[..., Any]) -> list[str]:
    """Return which of the space's numbers a constructor asks for."""
    try:
        known = inspect.signature(make).parameters
    except (TypeError, ValueError):
        return []
    return [name for name in _GIVEN if name in known]


def _neither(thing: object, name: str) -> UsageError:
    return UsageError(
        f"{place_of(thing)}: {name} makes no predictor. It should be a torch.nn.Module with "
        "forward(data), or have fit(X, y) and predict(X), or be a function that returns one"
    )


class _Own(Predictor):
    """What modules and regressors share: where they come from, and ensembles of them."""

    make: ClassVar[Callable[..., Any]]
    thing: ClassVar[Any]
    name: ClassVar[str]

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        ensemble: Count = 1,
        **given: Any,  # noqa: ANN401 - what any predictor is given, and the constructor's own
    ) -> None:
        super().__init__(
            graphs, **{name: given.pop(name) for name in Given.__annotations__ if name in given}
        )
        self.ensemble, self._options = ensemble, given

    @classmethod
    def options(cls) -> Mapping[str, Option]:
        """Return its constructor's options, and those of how it is trained."""
        try:
            own = options_of_signature(cls.make, without=_GIVEN)
        except (TypeError, ValueError):
            own = {}
        return {**super().options(), **own}

    @classmethod
    def knows_spread(cls, options: Mapping[str, float | int | str]) -> bool:
        """Only an ensemble does; see :meth:`Predictor.knows_spread`."""
        return int(options.get("ensemble", 1)) > 1

    def _ensemble(
        self,
        members: Sequence[Member],
        fit: Callable[[Sequence[Member]], Fitted],
    ) -> Fitted:
        if self.ensemble == 1:
            return fit(members)
        parts = fit(spelled_out(members, self.ensemble))
        return Ensemble.over(parts, members, self.ensemble)


class OwnModule(_Own):
    """A module of PyTorch Geometric, trained with any loss.

    Args:
        graphs: See `Predictor`.
        learning_rate: Peak of the cycle; the recipe's if None.
        given: See `Predictor`; proxies are ignored. ``ensemble`` trainings of each member have
            their scores averaged; what else there is goes to the module's constructor.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        *,
        learning_rate: Positive | None = None,
        **given: Any,  # noqa: ANN401 - see _Own
    ) -> None:
        from nasrank.graphs.pyg import BatchedGraphs

        super().__init__(graphs, **given)
        self._rate = (learning_rate or self.recipe.learning_rate) / self.recipe.learning_rate
        self._laid_out = BatchedGraphs(graphs)

    @classmethod
    def networks(cls, options: Mapping[str, float | int | str]) -> int:
        """Return the size of the ensemble; see :meth:`Predictor.networks`."""
        return int(options.get("ensemble", 1))

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Train every member, one after the other; see :meth:`Predictor.fit`.

        Epochs are not reported.
        """
        return self._ensemble(members, partial(self._fit, on_step=on_step))

    def _fit(
        self, members: Sequence[Member], on_step: Callable[[int, int], None] | None
    ) -> Fitted:
        stages = [_stages_of(member) for member in members]
        total = sum(self.recipe.steps(len(each.items)) for own in stages for each in own)
        done = 0

        def tick() -> None:
            nonlocal done
            done += 1
            if on_step is not None:
                on_step(done, total)

        modules, losses = [], []
        with guarded(self.thing, f"while {self.name} was trained"):
            for own in stages:
                seed = own[0].seed
                with seeded_torch(seed, stream="initialisation"):
                    module = self._made().to(self.device).train()
                    final = [self._train(module, stage, tick) for stage in own]
                modules.append(module.eval())
                losses.append(final[-1])
        return _Modules(self, self._laid_out, modules, np.array(losses))

    def _made(self) -> torch.nn.Module:
        given = {"operations": len(self.graphs.vocabulary), "numbers": self._laid_out.numbers}
        make: Callable[..., torch.nn.Module] = type(self).make
        return make(**{name: given[name] for name in _asked(self.make)}, **self._options)

    def _train(self, module: torch.nn.Module, member: Member, tick: Callable[[], None]) -> float:
        """Train one plain loss; return its mean over the last epoch."""
        recipe, count = self.recipe, len(member.items)
        spec = member.loss
        if isinstance(spec, PiecewiseSpec):
            raise TypeError("a stage has a plain loss")
        function = resolve(spec)
        raw = torch.from_numpy(np.array(member.targets, np.float64))[None]
        prepared = prepare(spec, raw)
        labels = prepared.labels.float().to(self.device)
        arguments = {key: each.float().to(self.device) for key, each in prepared.arguments.items()}
        parameters = [each for each in module.parameters() if each.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, betas=recipe.betas, weight_decay=recipe.weight_decay
        )
        schedule = recipe.schedule(count, numpy_generator(member.seed, stream="order", n=count))
        steps, lists = len(schedule), recipe.lists(count)
        last = 0.0
        for step, places in enumerate(schedule):
            chosen = places[places >= 0]
            scores = self.score(module, self._laid_out, member.items[chosen])
            value = function(
                scores[None], labels[:, torch.from_numpy(chosen)], reduction="none", **arguments
            )
            optimizer.zero_grad()
            value.sum().backward()
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
            for group in optimizer.param_groups:
                group["lr"] = self._rate * recipe.rate(step, steps)
            optimizer.step()
            if step >= steps - lists:
                last += float(value.detach().sum()) / lists
            tick()
        return last

    def score(
        self,
        module: torch.nn.Module,
        laid_out: Any,  # noqa: ANN401 - BatchedGraphs
        items: Int64[np.ndarray, "graphs"],
    ) -> torch.Tensor:
        """Score graphs with one module.

        Raises:
            UsageError: It returned something else than one number for each.
        """
        found = module(laid_out.batch(items).to(self.device))
        if isinstance(found, torch.Tensor) and found.shape in {(len(items),), (len(items), 1)}:
            return found.reshape(-1)
        what = (
            f"a tensor of shape {tuple(found.shape)}"
            if isinstance(found, torch.Tensor)
            else f"a {type(found).__name__}"
        )
        raise UsageError(
            f"{place_of(type(module).forward)}: {self.name} returned {what} for {len(items)} "
            "graphs. It should return one score for each: pool the nodes by data.batch"
        )


def _stages_of(member: Member) -> list[Member]:
    """Split a piecewise loss into the members it trains one after the other."""
    spec = member.loss
    if not isinstance(spec, PiecewiseSpec):
        return [member]
    first = Member(
        member.items[: spec.switch], member.targets[: spec.switch], spec.first, member.seed
    )
    return [first, Member(member.items, member.targets, spec.then, member.seed)]


class _Modules(Fitted):
    def __init__(
        self,
        predictor: OwnModule,
        laid_out: Any,  # noqa: ANN401 - BatchedGraphs, which imports torch_geometric
        modules: Sequence[torch.nn.Module],
        losses: Float64[np.ndarray, "members"],
    ) -> None:
        self._predictor, self._laid_out, self._modules = predictor, laid_out, modules
        self.final_loss = losses

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """True where a parameter is not finite."""
        return np.array(
            [
                not all(bool(w.isfinite().all()) for w in each.parameters())
                for each in self._modules
            ]
        )

    @torch.no_grad()
    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Score graphs in parts; NaN for a diverged member."""
        chosen = np.arange(len(self._laid_out)) if items is None else np.asarray(items)
        own = self._predictor
        result = np.zeros((len(self._modules), len(chosen)))
        for start in range(0, len(chosen), _SCORED):
            part = chosen[start : start + _SCORED]
            for place, module in enumerate(self._modules):
                with guarded(own.thing, f"while {own.name} scored"):
                    found = own.score(module, self._laid_out, part)
                result[place, start : start + len(part)] = found.cpu().double().numpy()
        diverged = self.diverged
        result[diverged] = np.nan
        _require_finite(result[~diverged], own)
        return result

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        """Return the same modules for other graphs; see :meth:`Fitted.on`."""
        laid_out = self._laid_out.on(graphs)
        return _Modules(self._predictor, laid_out, self._modules, self.final_loss)


class OwnRegressor(_Own):
    """A regressor of scikit-learn, fitted to robust scores of the labels.

    Its columns are counts of operations, edges and paths, statistics over paths, and settings,
    all standardised. Each member is a new regressor; where it has a ``random_state`` that is None,
    this comes from the seed of the run. Parts of an ensemble beyond the first see the labels drawn
    with repetition.

    Args:
        graphs: See `Predictor`.
        given: See `Predictor`; proxies, device and recipe are ignored, and it computes on the
            CPU. ``ensemble`` regressors of each member have their predictions averaged; what else
            there is goes to the regressor's constructor.
    """

    own_loss = "mse(targets=robust)"

    def __init__(
        self,
        graphs: GraphBatch,
        **given: Any,  # noqa: ANN401 - see _Own
    ) -> None:
        super().__init__(graphs, **given)
        self._made = GraphColumns(graphs)
        self._standard = Standard.of(self._made.reference.astype(np.float64))
        self._rows = self._standard.apply(self._made.reference.astype(np.float64))

    @classmethod
    def seconds(cls, n: int, options: Mapping[str, float | int | str]) -> float:
        """Guess the time of a member, see :meth:`Predictor.seconds`: that of a forest."""
        return int(options.get("ensemble", 1)) * (0.3 + 1e-3 * n)

    def rows_of(self, graphs: GraphBatch) -> NDArray[np.float64]:
        """Return ``[items, columns]`` what regressors see of graphs."""
        return self._standard.apply(self._made.of(graphs).astype(np.float64))

    def fit(
        self,
        members: Sequence[Member],
        *,
        on_step: Callable[[int, int], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> Fitted:
        """Fit every member; see :meth:`Predictor.fit`. A step is a regressor."""
        return self._ensemble(members, partial(self._fit, on_step=on_step))

    def _fit(
        self, members: Sequence[Member], on_step: Callable[[int, int], None] | None
    ) -> Fitted:
        fitted, errors = [], []
        for place, member in enumerate(members):
            wanted = robust_scores(np.array(member.targets, np.float64))
            rows = self._rows[member.items]
            # The first part of an ensemble sees every label once.
            chosen = np.arange(len(rows))
            if place % self.ensemble:
                draw = numpy_generator(member.seed, stream="bootstrap")
                chosen = draw.integers(0, len(rows), len(rows))
            with guarded(self.thing, f"while {self.name} was fitted"):
                regressor = self._new(member.seed)
                regressor.fit(rows[chosen], wanted[chosen])
            fitted.append(regressor)
            errors.append(float(np.mean((self.predict(regressor, rows) - wanted) ** 2)))
            if on_step is not None:
                on_step(place + 1, len(members))
        return _Regressors(self, self._rows, fitted, np.array(errors))

    def _new(self, seed: int) -> Any:  # noqa: ANN401 - a regressor of anybody
        made = type(self).make(**self._options)
        known = made.get_params() if hasattr(made, "get_params") else {}
        free = [
            key for key in known if key.split("__")[-1] == "random_state" and known[key] is None
        ]
        state = derive_seed(seed, stream="regressor") % 2**32
        return made.set_params(**dict.fromkeys(free, state)) if free else made

    def predict(
        self,
        regressor: Any,  # noqa: ANN401 - of anybody
        rows: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Predict rows with one regressor.

        Raises:
            UsageError: It returned something else than one finite number for each row.
        """
        if not len(rows):
            return np.zeros(0)
        with guarded(self.thing, f"while {self.name} predicted"):
            found = np.asarray(regressor.predict(rows), np.float64)
        if found.shape not in {(len(rows),), (len(rows), 1)}:
            raise UsageError(
                f"{place_of(self.thing)}: {self.name} predicted an array of shape {found.shape} "
                f"for {len(rows)} rows. predict(X) should return one number for each row"
            )
        _require_finite(found, self)
        return found.reshape(-1)


class _Regressors(Fitted):
    def __init__(
        self,
        predictor: OwnRegressor,
        rows: NDArray[np.float64],
        regressors: Sequence[Any],
        errors: Float64[np.ndarray, "members"],
    ) -> None:
        self._predictor, self._rows, self._regressors = predictor, rows, regressors
        self.final_loss = errors

    @property
    def diverged(self) -> Bool[np.ndarray, "members"]:
        """Never: predictions that are not finite are refused."""
        return np.zeros(len(self._regressors), bool)

    def scores(
        self, items: Int64[np.ndarray, "graphs"] | None = None
    ) -> Float64[np.ndarray, "members graphs"]:
        """Return predictions, in the unit of the targets."""
        rows = self._rows if items is None else self._rows[items]
        return np.stack([self._predictor.predict(each, rows) for each in self._regressors])

    def on(
        self, graphs: GraphBatch, proxies: Float64[np.ndarray, "items proxies"] | None = None
    ) -> Fitted:
        """Return the same regressors for other graphs; see :meth:`Fitted.on`."""
        rows = self._predictor.rows_of(graphs)
        return _Regressors(self._predictor, rows, self._regressors, self.final_loss)


def _require_finite(scores: NDArray[np.float64], predictor: _Own) -> None:
    bad = ~np.isfinite(scores)
    if bad.any():
        raise UsageError(
            f"{place_of(predictor.thing)}: {predictor.name} scored {int(bad.sum()):,} of "
            f"{scores.size:,} architectures as {scores[bad][0]:g}. Return finite numbers"
        )
