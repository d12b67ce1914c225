"""The values below `config:` as JSON text, as the engine makes it: sorted keys, Go's numbers, merge keys resolved."""

from collections.abc import Iterator

from stacks.config.nodes import Mapping, Node, Scalar, Sequence
from stacks.config.problems import KeyPath, Position, Problem, key_text, may_show
from stacks.config.scalars import JsonScalar, json_text, plain_text, resolve

MAX_NODES = 250_000
"""Values after aliases are written out: ten times what a stack of 400 services has."""

MAX_RATIO = 100
"""How many values one written part may become by aliases: go-yaml refuses a file of which they are more than 99 %."""

MAX_NODES_WITHOUT_RATIO = 1000
"""Values below which go-yaml does not look at the ratio."""

_MERGE = "<<"
_TEXT_TAG = "tag:yaml.org,2002:str"


class Values:
    """Turns nodes into the engine's text; keeps what is wrong, where each key stands and how numbers were written."""

    def __init__(self, problems: list[Problem], size: int) -> None:
        """Begin a file.

        Args:
            problems: where errors are added.
            size: how many parts the file was written with.
        """
        self._problems = problems
        self._nodes = 0
        self._limit = min(MAX_NODES, max(MAX_NODES_WITHOUT_RATIO, MAX_RATIO * size))
        self.positions: dict[KeyPath, Position] = {}
        self.written: dict[KeyPath, str] = {}

    def top(self, node: Node, path: KeyPath) -> str:
        """Return the text of a value directly below `config:`: JSON of maps and lists, otherwise the scalar itself."""
        if not isinstance(node, Scalar):
            return self._json(node, path)
        value = self._scalar(node, path, nested=False)
        if value is None:
            self._problem(
                path,
                "no value",
                "Pulumi hands the program an empty text, and will hand it nothing in a later version.",
                "Write the value, or remove the key.",
            )
        return plain_text(value)

    def merged(self, node: Mapping, path: KeyPath) -> Iterator[tuple[Position, str, Node]]:
        """Yield the keys of a map with their values, merge keys (`<<`) resolved; its own keys win over merged ones.

        Args:
            node: the map.
            path: where it stands, for errors.
        """
        own: dict[str, Position] = {}
        merges: list[tuple[Position, Node]] = []
        for where, key, value in node.entries:
            if not self._spend(path):
                return
            text = self._key(where, key, path)
            if text is None:
                continue
            if text in own:
                self._problem(
                    (*path, text),
                    f"written twice, first in line {own[text].line}",
                    "Pulumi refuses the file: it could not tell which one is meant.",
                    "Remove one of the two.",
                    where,
                )
                continue
            own[text] = where
            if text == _MERGE:
                merges.append((where, value))
            else:
                yield where, text, value
        for where, value in merges:
            yield from self._merge(where, value, path, set(own))

    def _merge(
        self, where: Position, value: Node, path: KeyPath, taken: set[str]
    ) -> Iterator[tuple[Position, str, Node]]:
        sources = [item for _, item in value.items] if isinstance(value, Sequence) else [value]
        for source in sources:
            if not isinstance(source, Mapping):
                self._problem(
                    (*path, _MERGE),
                    "the merge key `<<` takes a map or a list of maps",
                    "Pulumi refuses the file.",
                    "Give an alias of a map, such as `<<: *defaults`.",
                    where,
                )
                continue
            for position, key, node in self.merged(source, path):
                if key not in taken:
                    taken.add(key)
                    yield position, key, node

    def _key(self, where: Position, key: Node, path: KeyPath) -> str | None:
        if not isinstance(key, Scalar):
            self._problem(
                path,
                "a map or a list as a key",
                "Pulumi refuses the file.",
                "Write a text before the colon.",
                where,
            )
            return None
        if key.tag is not None:
            self._tag(key, (*path, key.text))
        if not key.plain or key.tag is not None:
            return key.text
        value = resolve(key.text, nested=True)
        if value.surprise or plain_text(value.value) != key.text or value.value is None:
            self._problem(
                (*path, key.text),
                "a key that is no text",
                "Pulumi would rewrite it: a number loses its notation, an empty key becomes `<nil>`.",
                f'Put it in quotes: "{key.text}".',
                where,
            )
        return key.text

    def _json(self, node: Node, path: KeyPath) -> str:
        if not self._spend(path):
            return "null"
        if isinstance(node, Scalar):
            return json_text(self._scalar(node, path, nested=True))
        if node.tag is not None:
            self._tag(node, path)
        if isinstance(node, Sequence):
            items: list[str] = []
            for index, (where, item) in enumerate(node.items):
                self.positions[*path, index] = where
                items.append(self._json(item, (*path, index)))
            return f"[{','.join(items)}]"
        texts: dict[str, str] = {}
        for where, key, value in self.merged(node, path):
            self.positions[*path, key] = where
            texts[key] = self._json(value, (*path, key))
        if "secure" in texts and len(texts) == 1:
            self._problem(
                path,
                "an encrypted value inside a section",
                "Pulumi would make the whole section a secret and hand it to the program in clear text.",
                "Name the secret in `slipway:secrets` as { config: <name> }, and run `slipway secrets set <name>`.",
            )
        return "{" + ",".join(f"{json_text(key)}:{texts[key]}" for key in sorted(texts)) + "}"

    def _spend(self, path: KeyPath) -> bool:
        """Count a value against the bound on aliases; report once, and let the caller stop, when it is passed."""
        self._nodes += 1
        if self._nodes == self._limit + 1:
            self._problem(
                path,
                f"more than {self._limit:,} values once the aliases are written out",
                "Aliases of aliases grow without bounds: Pulumi refuses the file or runs out of memory.",
                "Write the values out, or repeat fewer of them.",
            )
        return self._nodes <= self._limit

    def _scalar(self, node: Scalar, path: KeyPath, *, nested: bool) -> JsonScalar:
        if node.tag is not None:
            self._tag(node, path)
            return node.text
        if not node.plain:
            return node.text
        resolved = resolve(node.text, nested=nested)
        if resolved.surprise:
            value = node.text if may_show(path, node.text) else None
            self._problem(path, resolved.surprise, resolved.why, resolved.remedy, value=value)
        if not isinstance(resolved.value, str):
            self.written[path] = node.text
        return resolved.value

    def _tag(self, node: Node, path: KeyPath) -> None:
        if node.tag != _TEXT_TAG or not isinstance(node, Scalar):
            self._problem(
                path,
                "a YAML tag",
                "Pulumi ignores tags of your own and lets others change the value.",
                "Remove the word that begins with `!`; put a text in quotes.",
                node.where,
            )

    def _problem(
        self,
        path: KeyPath,
        what: str,
        why: str,
        remedy: str,
        where: Position | None = None,
        *,
        value: str | None = None,
    ) -> None:
        place = where or next(
            (self.positions[path[:n]] for n in range(len(path), -1, -1) if path[:n] in self.positions), None
        )
        self._problems.append(Problem(key_text(path), place, what, why, remedy, value))
