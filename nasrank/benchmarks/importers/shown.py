"""What an error message shows of a value that a file holds."""

__all__ = ["shown"]


def shown(value: object) -> str:
    r"""Return a value as short ASCII text; of anything but numbers and text only its kind.

    A container may be huge, or nested so deeply that it cannot be printed.

    Example:
        >>> shown("é"), shown(1.5), shown([1, 2])
        ("'\\xe9'", '1.5', 'a list')
    """
    if isinstance(value, str):
        return ascii(value[:60])
    if value is None or isinstance(value, int | float):
        return str(value)
    return f"a {type(value).__name__}"
