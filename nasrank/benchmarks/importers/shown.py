"""How error messages show a value of a file."""

__all__ = ["shown"]


def shown(value: object) -> str:
    r"""Return numbers and text as short ASCII, and anything else by its type.

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
