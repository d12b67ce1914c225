"""The keys of a configuration, sorted out by namespace: sections, secrets, and what has no effect here.

`slipway:` holds the sections, `secrets:` the encrypted values. Everything else would be ignored in silence (each
provider gets its settings from the sections) or would change what the preview shows, and is refused with the reason.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from stacks.config.problems import KeyPath, Problem, printable
from stacks.config.shapes import Kind
from stacks.config.stackfile import PROJECT, StackFile
from stacks.config.words import Words, nearest, quoted

SECRETS = "secrets"
"""The namespace of encrypted values; a mistyped section can never look like one."""

_PROVIDERS = {
    "aws": f"{PROJECT}:aws",
    "aws-native": f"{PROJECT}:aws",
    "kubernetes": f"{PROJECT}:cluster",
    "docker": f"{PROJECT}:image",
    "docker-build": f"{PROJECT}:image",
    "random": "",
    "tls": "",
}
"""Pulumi's own providers: the section that says the same, or nothing to say."""

_PULUMI_KEYS = {"pulumi:disable-default-providers": ('["*"]',)}
"""Keys of the engine that the program needs, with their values: the switch of Pulumi.yaml."""

_SECRET_SECTION = Words(
    "a section cannot be a secret",
    "The program would have to show it to work with it.",
    f"Write the section in clear, name its secret in `{PROJECT}:secrets`, and run `slipway secrets set <name>`.",
)
_LOST_NOTATION = Words(
    "a number or a truth value where text belongs",
    "Without quotes YAML reads it as a number or a truth value: `1.50` becomes `1.5`.",
    "Put it in quotes.",
)

MAX_DEPTH = 60


@dataclass(frozen=True)
class Configuration:
    """What a configuration says.

    Attributes:
        document: the sections by name, JSON decoded, lists as tuples.
        texts: each key as it was given.
        problems: keys and texts that cannot be used.
    """

    document: Mapping[str, object]
    texts: Mapping[str, str]
    problems: tuple[Problem, ...]

    def agrees(self, file: StackFile | None) -> Callable[[str], bool]:
        """Return a function that tells whether a file has the given value of a key."""
        said: Mapping[str, str] = file.config if file is not None else {}
        return lambda key: key in said and (key not in self.texts or said[key] == self.texts[key])


def sort_out(
    config: Mapping[str, str],
    secret_keys: frozenset[str],
    sections: Mapping[str, Kind],
    file: StackFile | None,
) -> Configuration:
    """Sort out the keys of a configuration.

    Args:
        config: the full key to its text.
        secret_keys: the keys whose value is a secret.
        sections: the names of the sections, with what may stand there.
        file: the stack file, for positions.
    """
    document: dict[str, object] = {}
    problems: list[Problem] = []
    for key, text in config.items():
        namespace, _, name = key.partition(":")
        written = _written(file, key, text)
        where = file.position((key,)) if file is not None and key in file.config else None
        words: Words | None = None
        if namespace == PROJECT and name in sections and key not in secret_keys:
            try:
                document[name] = decode(text)
            except ValueError as error:
                words = Words(
                    str(error),
                    "The program could not tell what is meant.",
                    "Write the section as a map in the stack file.",
                )
            if sections[name] == "value" and written is not None:
                words = _LOST_NOTATION
        else:
            words = _refused(namespace, name, text, list(sections), secret=key in secret_keys)
        if words is not None:
            value = written if words is _LOST_NOTATION else None
            problems.append(Problem(printable(key), where, words.what, words.why, words.remedy, value))
    problems += _unused([key for key in config if key in secret_keys], document, file)
    return Configuration(document, config, tuple(problems))


def _written(file: StackFile | None, key: str, text: str) -> str | None:
    """Return how a number or a truth value stands in the file, where the file has the given value."""
    return file.written.get((key,)) if file is not None and file.config.get(key) == text else None


def _refused(namespace: str, name: str, text: str, sections: list[str], *, secret: bool) -> Words | None:
    """Return why a key that is no section in clear text is refused; None where it is taken."""
    if namespace == PROJECT:
        return _SECRET_SECTION if secret else _unknown_section(name, sections)
    if namespace == SECRETS:
        return None if secret else _clear_text(name)
    if f"{namespace}:{name}" == "pulumi:tags" or text in _PULUMI_KEYS.get(f"{namespace}:{name}", ()):
        return None
    return _foreign(namespace, name, sections)


def _unknown_section(name: str, sections: list[str]) -> Words:
    near = nearest(name, sections)
    known = quoted(f"{PROJECT}:{section}" for section in sections)
    return Words(
        "unknown section",
        "Nothing would read it: what it is meant to set would keep its default.",
        f"Did you mean `{PROJECT}:{near}`?" if near else f"Sections: {known}.",
    )


def _clear_text(name: str) -> Words:
    return Words(
        "a secret in clear text",
        "Whoever reads the file, its history or Pulumi's state would have it.",
        f"Remove the line, choose a new value, and run `slipway secrets set {printable(name)}`.",
    )


def _foreign(namespace: str, name: str, sections: list[str]) -> Words:
    if namespace in _PROVIDERS:
        section = _PROVIDERS[namespace]
        return Words(
            "settings of a provider have no effect here",
            "Every provider is made explicitly, so that neither this key nor the shell's environment changes a stack.",
            f"Say it in `{section}`." if section else "Remove it.",
        )
    if namespace == "pulumi":
        return Words(
            "a setting of the engine",
            "It would change names or behaviour in a way that the offline preview cannot show.",
            "Remove it; tags of a stack (`pulumi:tags`) are taken.",
        )
    if name in sections or nearest(namespace, [PROJECT]):
        near = nearest(name, sections) or "<section>"
        remedy = f"Did you mean `{PROJECT}:{near}`?"
    elif nearest(namespace, [SECRETS]):
        remedy = f"Did you mean `{SECRETS}:{printable(name)}`?"
    else:
        remedy = f"Sections begin with `{PROJECT}:`, encrypted values with `{SECRETS}:`."
    return Words("unknown namespace", "Nothing would read it.", remedy)


def _unused(keys: Iterable[str], document: Mapping[str, object], file: StackFile | None) -> list[Problem]:
    """Return a problem for each encrypted value that no secret names: most likely one of the two is mistyped."""
    declared = document.get("secrets", {})
    if not isinstance(declared, dict):
        return []
    sources = cast("dict[str, object]", declared).values()
    wanted = [
        cast("dict[str, object]", source).get("config") for source in sources if isinstance(source, dict)
    ]
    named = [name for name in wanted if isinstance(name, str)]
    found: list[Problem] = []
    for key in keys:
        namespace, _, name = key.partition(":")
        if namespace == SECRETS and name not in named:
            path: KeyPath = (key,)
            near = nearest(name, named)
            found.append(
                Problem(
                    printable(key),
                    file.position(path) if file is not None and key in file.config else None,
                    f"no secret of `{PROJECT}:secrets` takes its value from here",
                    "Nothing would read it, and the secret that was meant would be missing.",
                    f"Did you mean `{SECRETS}:{near}`?"
                    if near
                    else f"Name it there: {{ {printable(name)}: {{ config: {printable(name)} }} }}.",
                )
            )
    return found


def decode(text: str) -> object:
    """Return what a text of the configuration says: JSON of a map or a list decoded, any other text as it is.

    Raises:
        ValueError: when a key stands twice, a number is not finite, or the nesting has no end.
    """
    if not text.startswith(("{", "[")):
        return text
    try:
        return _frozen(json.loads(text, object_pairs_hook=_once, parse_constant=_not_finite), MAX_DEPTH)
    except json.JSONDecodeError:
        return text
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} levels of maps and lists") from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key `{printable(twice)}` stands twice")
    return found


def _not_finite(_: str) -> object:
    raise ValueError("a number that is not finite")


def _frozen(value: object, levels: int) -> object:
    if levels == 0:
        raise ValueError(f"more than {MAX_DEPTH} levels of maps and lists")
    if isinstance(value, dict):
        return {key: _frozen(item, levels - 1) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return tuple(_frozen(item, levels - 1) for item in cast("list[object]", value))
    return value
