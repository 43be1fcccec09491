"""Modules that are imported at their first use, not wherever tests are collected."""

from importlib import import_module

__all__ = ["Later"]


class Later:
    """Stands for a module that takes its time and that few tests use, such as ``ot``."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        # What is collected is asked for such names; nobody who uses a module needs one.
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(import_module(self._name), name)
