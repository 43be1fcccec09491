"""``nasrank env``: what a result or a bug report depends on besides the command itself."""

from nasrank.cli.output import FormatOption, show_record

__all__ = ["EPILOG", "env"]

EPILOG = "Example: nasrank env --format json"


def env(output_format: FormatOption = "table") -> None:
    """Show versions, processor, threads, devices, cache folder and data packages.

    Keys of --format json, in answer: nasrank, python, platform, processor, cores, usable_cores,
    torch_threads, instructions, devices, executable, cache (folder, exists, writable), packages
    and data_packages (name: version, null where not installed).
    """
    from nasrank.runs.environment import environment

    show_record("env", environment(), output_format)
