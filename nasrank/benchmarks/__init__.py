"""Where architectures and their scores come from; one file per search space."""

from nasrank.benchmarks.space import Benchmark, Metric, Space, Task, class_labels
from nasrank.benchmarks.tasks import SPACES, TaskName, load_task, parse_task, task_names

__all__ = [
    "SPACES",
    "Benchmark",
    "Metric",
    "Space",
    "Task",
    "TaskName",
    "class_labels",
    "load_task",
    "parse_task",
    "task_names",
]
