"""Which columns of a table are settings, and why others are not."""

import re
from collections.abc import Sequence

from nasrank.benchmarks.importers.cells import Cell, spelled

__all__ = [
    "NAMES_ROWS",
    "counts_rows",
    "lower_is_usually_better",
    "names_rows",
    "says_chosen",
    "why_no_setting",
    "words_of",
]

NAMES_ROWS = "names of the rows"
"""Why a column with another word in every row is no setting."""
LONGEST_WORD = 64
"""Longest name of a level, in characters."""
_FEWEST_NAMES = 5
"""Fewest rows whose words, all different, are taken for names."""
NAMING = {"name", "id", "run", "trial"}
"""Words in the headings of columns that name rows; there two rows are enough."""
_MANY = 32
"""Most different words that may be as many as half of the rows."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d.*)?|(\d+ days? )?-?\d+:\d\d:\d\d(\.\d+)?")
_ADDRESS = re.compile(r"(https?|s3|gs|file)://.*", re.IGNORECASE)

_SEEDS = {"seed", "repeat", "repetition", "replicate", "fold", "rep"}
_NUMBERS = {"number", "index", "idx", "trial", "run", "job", "timestamp", "unnamed"}
_MEASURED = {
    *("acc", "accuracy", "auc", "auroc", "f1", "recall", "iou", "miou", "psnr", "ssim", "bleu"),
    *("rouge", "score", "reward", "return", "loss", "error", "err", "nll", "perplexity", "ppl"),
    *("rmse", "mse", "mae", "mape", "wer", "cer", "fid", "bpb", "bpc", "regret", "latency"),
    *("throughput", "fps", "runtime", "duration", "elapsed", "walltime", "wallclock"),
}
_DERIVED = {"flops", "gflops", "mflops", "macs", "params", "parameters"}
_TIMES = {"time", "seconds", "secs", "minutes", "hours"}
_OF_TIMES = {"s", "sec", "ms", "min", "h"}
_CHOSEN = {
    *("weight", "weights", "rate", "coef", "coefficient", "lambda", "alpha", "scale", "type"),
    *("kind", "fn", "function", "name", "smoothing", "threshold", "steps", "step", "size"),
    *("ratio", "factor", "margin", "clip", "num", "n", "use", "with", "norm", "temperature"),
    *("target", "penalty", "budget", "limit", "gamma", "power", "init", "prob", "exponent"),
}
_LOWER = {
    *("loss", "logloss", "error", "err", "nll", "perplexity", "ppl", "rmse", "mse", "mae", "mape"),
    *("wer", "cer", "fid", "bpb", "bpc", "regret", "latency", "runtime", "duration", "time"),
    *("seconds", "cost", "crossentropy", "entropy", "brier", "deviance", "flops", "misclassified"),
}
_TURNED = {"neg", "negative", "minus", "negated"}
_PREFIX = re.compile(r"(config|params|hparams|hyperparameters)[./]", re.IGNORECASE)
_RESULT = re.compile(r"(summary|metrics?|results?|values|user_attrs|system_attrs)[._/]")


def words_of(name: str) -> list[str]:
    """Split the name of a column into words in lower case.

    Example:
        >>> words_of("valAcc_top1"), words_of("n-layers")
        (['val', 'acc', 'top', '1'], ['n', 'layers'])
    """
    return [word.lower() for word in _WORD.findall(name)]


def why_no_setting(name: str, cells: Sequence[Cell]) -> str | None:
    """Return what a column is instead of a setting, in a few words, or None where it may be one.

    The order of the rows does not matter.

    Args:
        name: Name of the column.
        cells: ``[N]`` no lists.
    """
    known = [each for each in cells if each is not None]
    if not known:
        return "empty"
    distinct = {spelled(each) for each in known}
    if any(each[:1] + each[-1:] == "<>" for each in distinct):
        return "neither numbers nor words"
    if len(distinct) == 1 and len(known) == len(cells):
        return f"always {next(iter(distinct))[:40]}"
    if all(isinstance(each, float) for each in known):
        return _why_no_number(name, [each for each in known if isinstance(each, float)])
    numbers = sum(isinstance(each, float) for each in known)
    return _why_no_words(name, len(known), distinct, mostly_numbers=2 * numbers > len(known))


def lower_is_usually_better(label: str) -> bool:
    """Whether a label of this name is one of which less is better.

    Example:
        >>> lower_is_usually_better("val_loss"), lower_is_usually_better("neg_mse")
        (True, False)
    """
    words = {*words_of(label)}
    return bool(words & _LOWER) and not words & _TURNED


def names_rows(cells: Sequence[Cell]) -> bool:
    """Whether a column has another word in every row, so that its words can be names."""
    words = [each for each in cells if isinstance(each, str) and each.isprintable()]
    return len(words) == len(cells) == len({*words})


def says_chosen(names: Sequence[str]) -> set[str]:
    """Return the columns whose names say that they were chosen; none where fewer than two do.

    Example:
        >>> sorted(says_chosen(["config/lr", "config/depth", "total"])), says_chosen(["lr"])
        (['config/depth', 'config/lr'], set())
    """
    found = {name for name in names if _PREFIX.match(name)}
    return found if len(found) > 1 else set()


def counts_rows(cells: Sequence[Cell]) -> bool:
    """Whether a column holds every whole number from 0 or 1 on once, in any order."""
    numbers = {each for each in cells if isinstance(each, float)}
    if len(numbers) < len(cells) or len(cells) < _FEWEST_NAMES:
        return False
    start = min(numbers)
    return start in (0.0, 1.0) and numbers == {start + place for place in range(len(cells))}


def _why_no_words(
    name: str, count: int, distinct: set[str], *, mostly_numbers: bool
) -> str | None:
    shapes = {
        "free text": any(len(each) > LONGEST_WORD or not each.isprintable() for each in distinct),
        "times": all(_TIME.fullmatch(each) for each in distinct),
        "addresses": all(_ADDRESS.fullmatch(each) for each in distinct),
        "measured, not chosen": _RESULT.match(name.lower()) is not None,
    }
    if not mostly_numbers:
        fewest = 2 if NAMING & {*words_of(name)} else _FEWEST_NAMES
        shapes[NAMES_ROWS] = len(distinct) == count >= fewest
        shapes["names of nearly every row"] = len(distinct) > max(_MANY, count / 2)
    return next((why for why, true in shapes.items() if true), None)


def _why_no_number(name: str, known: Sequence[float]) -> str | None:
    prefix = _PREFIX.match(name)
    words = words_of(name[prefix.end() :] if prefix else name)
    whole = all(each.is_integer() for each in known)
    last = words[-1] if words else ""
    measured = not prefix and (_RESULT.match(name.lower()) is not None or _is_measured(words))
    shapes = {
        "seeds of trainings": whole and (last in _SEEDS or words[-2:] == ["random", "state"]),
        "times": "timestamp" in words,
        "ids, or codes to give with --category": whole and last == "id",
        "row numbers": whole and last in _NUMBERS and len({*known}) == len(known) > 1,
        "measured, not chosen": measured,
    }
    return next((why for why, true in shapes.items() if true), None)


def _is_measured(words: Sequence[str]) -> bool:
    if not words:
        return False
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if last in _DERIVED or last in _TIMES or (before in _TIMES and last in _OF_TIMES):
        return True
    return bool({*words} & _MEASURED) and not {*words} & _CHOSEN
