"""Optuna, or an error that says how to install it."""

try:
    import optuna
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"Expected the package optuna for a search. Received: {error}. Install it "
        "with pip install 'kftune[search]'.",
        name=error.name,
    ) from error

__all__ = ["optuna"]
