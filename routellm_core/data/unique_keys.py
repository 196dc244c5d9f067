"""Read YAML in which no key is written twice."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from ..errors import ConfigError


def load_yaml(yaml: ModuleType, text: str, where: str) -> Any:
    """Return what a text in YAML says.

    Args:
        yaml: PyYAML, which an extra installs.
        text: the text.
        where: its name, for the message.

    Raises:
        ConfigError: a key is written twice in one mapping, of which YAML takes the last.
        yaml.YAMLError: it is no YAML.
    """

    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined]
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            again = next((key for key in keys if keys.count(key) > 1), None)
            if again is not None:
                line = node.start_mark.line + 1
                raise ConfigError(
                    f"{where} has the key '{again}' twice in the mapping that begins on line "
                    f"{line}: keep one of them"
                )
            return dict(super().construct_mapping(node, deep=deep))

    return yaml.load(text, Loader=Loader)
