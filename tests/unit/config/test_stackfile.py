"""A stack file is read with the place of every key, or refused with file, line and column."""

import os
from pathlib import Path

import pytest

from stacks.config import stackfile
from stacks.config.problems import Position, SettingsError
from stacks.config.stackfile import SECRET_PLACEHOLDER, StackFile, read_stack_file
from tests.unit.config.files import bomb, write

EXAMPLE = """\
# a comment
config:
  slipway:environment: dev
  slipway:services:
    api:
      routes:
        - { host: a.example.com, path: / }
        - host: b.example.com
      "env": {LOG_LEVEL: info, é: 1}
  secrets:token:
    secure: v1:abc
"""


def read(folder: Path, text: str | bytes) -> StackFile:
    return read_stack_file(write(folder, text))


def refusal(folder: Path, text: str | bytes) -> tuple[str, str]:
    """The place and all sentences of the only error."""
    with pytest.raises(SettingsError) as refused:
        read(folder, text)
    (problem,) = refused.value.problems
    assert problem.where is not None
    assert "Traceback" not in refused.value.text()
    return f"{problem.where.line}:{problem.where.column}", f"{problem.what}. {problem.why} {problem.remedy}"


def test_every_key_and_item_has_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = read(Path(), EXAMPLE)
    places = {path: (where.line, where.column) for path, where in file.positions.items()}
    assert {where.file for where in file.positions.values()} == {"Pulumi.dev.yaml"}
    assert places == {
        (): (2, 1),
        ("slipway:environment",): (3, 3),
        ("slipway:services",): (4, 3),
        ("slipway:services", "api"): (5, 5),
        ("slipway:services", "api", "routes"): (6, 7),
        ("slipway:services", "api", "routes", 0): (7, 11),
        ("slipway:services", "api", "routes", 0, "host"): (7, 13),
        ("slipway:services", "api", "routes", 0, "path"): (7, 34),
        ("slipway:services", "api", "routes", 1): (8, 11),
        ("slipway:services", "api", "routes", 1, "host"): (8, 11),
        ("slipway:services", "api", "env"): (9, 7),
        ("slipway:services", "api", "env", "LOG_LEVEL"): (9, 15),
        ("slipway:services", "api", "env", "é"): (9, 32),
        ("secrets:token",): (10, 3),
    }


def test_a_key_without_a_place_is_looked_for_at_the_nearest_key_around_it(tmp_path: Path) -> None:
    file = read(tmp_path, EXAMPLE)
    around = file.position(("slipway:services", "api", "scaling", "max"))
    assert around is not None
    assert (around.line, around.column) == (5, 5)
    assert file.position(("slipway:nothing",)) == file.positions[()]


def test_an_encrypted_value_is_a_placeholder_and_never_its_ciphertext(tmp_path: Path) -> None:
    file = read(tmp_path, EXAMPLE)
    assert file.secret_keys == {"secrets:token"}
    assert file.config["secrets:token"] == SECRET_PLACEHOLDER
    assert "v1:abc" not in repr(file)


@pytest.mark.parametrize(
    "text", ["{ a: { secure: AAA } }", "[ { secure: AAA } ]", "{ secure: AAA }", "{ secure: 1 }"]
)
def test_an_encrypted_value_inside_a_section_is_refused_with_the_reason(tmp_path: Path, text: str) -> None:
    _, said = refusal(tmp_path, f"config:\n  slipway:k: {text}\n")
    assert "whole section a secret" in said
    assert "slipway secrets set" in said


def test_pulumis_own_keys_are_legal_and_others_are_not(tmp_path: Path) -> None:
    own = "encryptionsalt: a\nsecretsprovider: passphrase\nencryptedkey: b\n"
    assert read(tmp_path, f"{own}config: {{ slipway:k: a }}\n").config == {"slipway:k": "a"}
    assert refusal(tmp_path, "Config: {}\nconfig: {}\n") == (
        "1:1",
        "unknown key. Pulumi ignores it without a word. Did you mean `config`?",
    )
    _, said = refusal(tmp_path, "slipway:app: {}\nconfig: {}\n")
    assert "below `config:`, as `slipway:app`" in said
    assert "offline preview" in refusal(tmp_path, "environment: [a]\nconfig: {}\n")[1]
    assert refusal(tmp_path, "encryptionsalt: [a]\nconfig: {}\n")[1].startswith("not a text")


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("", "1:1", "the file is empty"),
        ("# only a comment\n", "1:1", "the file is empty"),
        ("---\n", "1:1", "the file is empty"),
        ("~\n", "1:1", "the file is empty"),
        ("hello\n", "1:1", "a text where keys belong"),
        ("\n- a\n", "2:1", "a list where keys belong"),
        ("encryptionsalt: a\n", "1:1", "there is no `config:`"),
        ("config:\n", "1:1", "empty"),
        ("config: [a]\n", "1:1", "a list where keys belong"),
        ("config: 3\n", "1:1", "a text where keys belong"),
        ("config:\n  k: 1\n", "2:3", "Write `slipway:k`"),
        ("config:\n  slipway:config:k: 1\n", "2:3", "Write `slipway:k`"),
        ("config:\n  a:b:c:d: 1\n", "2:3", "Write `slipway:<section>`"),
        ("config:\n  'slipway: k': 1\n", "2:3", "namespace"),
        ("config:\n  slipway:k: 1\n  slipway:k: 2\n", "3:3", "written twice, first in line 2"),
        ("config:\n  slipway:k:\n    a: 1\n    b: 2\n    a: 3\n", "5:5", "written twice, first in line 3"),
        ("config: {}\nconfig: {}\n", "2:1", "written twice, first in line 1"),
        ("config:\n  slipway:k: {<<: {a: 1}, <<: {b: 1}}\n", "2:27", "written twice"),
        ("config:\n  slipway:k: {1.50: a}\n", "2:15", 'Put it in quotes: "1.50"'),
        ("config:\n  slipway:k: {~: a}\n", "2:15", "a key that is no text"),
        ("config:\n  slipway:k: {0x10: a}\n", "2:15", "a key that is no text"),
        ("config:\n  slipway:k: {[a]: b}\n", "2:15", "a map or a list as a key"),
        ("config:\n  slipway:k: {<<: 3}\n", "2:15", "takes a map or a list of maps"),
        ("config:\n  slipway:k: {!!str a: 1, !foo b: 1}\n", "2:27", "a YAML tag"),
        ("config:\n  slipway:k: !!set {a}\n", "2:14", "a YAML tag"),
        ("config:\n  slipway:k: *x\n", "2:14", "has no anchor before it"),
        ("config:\n  slipway:k: &x [*x]\n", "2:18", "inside the value that it repeats"),
        ("config:\n\tslipway:k: 1\n", "2:1", "a tab in the indentation"),
        ("config:\n  slipway:k:\n\t  a: 1\n", "3:1", "a tab in the indentation"),
        ("config:\n  slipway:k: @a\n", "2:14", "cannot begin a value"),
        ("config:\n  slipway:k: a: b\n", "2:15", "a colon where a value stands already"),
        ("config:\n  slipway:k: {a: 1\n", "2:14", "a brace that is not closed"),
        ("config:\n  slipway:k: {a: 1\n  slipway:l: 2\n", "2:14", "a brace that is not closed"),
        ("config:\n  slipway:k: 1\n slipway:l: 2\n", "3:2", "does not fit"),
        ("config:\n  slipway:k: [a\n", "2:14", "a bracket that is not closed"),
        ("config:\n  slipway:k: 'a\n", "2:14", "a quote that is not closed"),
        ('config:\n  slipway:k: "\\/"\n', "2:14", "the escape"),
        ("config:\n  slipway:k: &\n", "2:15", "no valid YAML"),
        ("%YAML 1.2\n---\nconfig: {}\n", "1:1", "a YAML directive"),
        ("%TAG ! tag:x,2000:\n---\nconfig: {}\n", "1:1", "a YAML directive"),
        ("config: {}\n---\nconfig: {}\n", "2:1", "a second YAML document"),
        ("config: {}\n...\nfoo\n", "3:1", "text after the end of the document"),
        ("config:\n  slipway:k: a\x01b\n", "2:15", "a control character (U+0001)"),
        ("config:\n  slipway:k: a\x7fb\n", "2:15", "a control character (U+007F)"),
        (b"config:\n  slipway:k: caf\xe9\n", "2:17", "0xE9 is not UTF-8"),
        ("config: {}\n".encode("utf-16"), "1:1", "not UTF-8"),
        ("config:\n  slipway:k: " + "[" * 80 + "]" * 80 + "\n", "2:72", "more than 60 levels"),
    ],
)  # fmt: skip
def test_what_is_no_stack_file_is_refused_at_its_place(
    tmp_path: Path, text: str | bytes, place: str, said: str
) -> None:
    where, sentences = refusal(tmp_path, text)
    assert said in sentences
    assert where == place


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffconfig: { slipway:k: a }\n").config == {"slipway:k": "a"}


def test_aliases_of_aliases_end_where_pulumi_refuses_them(tmp_path: Path) -> None:
    assert len(read(tmp_path, bomb(3)).config["slipway:k"]) == 6913
    for levels in (4, 9):
        assert "once the aliases are written out" in refusal(tmp_path, bomb(levels))[1]
    lines = ["config:", "  slipway:k:", "    - &a0 {x: 1}"]
    lines += [f"    - &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}], y{n}: 1}}" for n in range(1, 9)]
    assert "once the aliases are written out" in refusal(tmp_path, "\n".join(lines))[1]


def test_a_block_that_many_services_repeat_is_no_bomb(tmp_path: Path) -> None:
    block = ", ".join(f"k{n}: {n}" for n in range(40))
    services = "".join(f"    s{n}: *b\n" for n in range(200))
    file = read(tmp_path, f"config:\n  slipway:b: &b {{{block}}}\n  slipway:k:\n{services}")
    assert len(file.config["slipway:k"]) == 69691


def test_an_enormous_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stackfile, "MAX_BYTES", 1024 * 1024)
    assert "larger than 1 MiB" in refusal(tmp_path, b"#" * (1024 * 1024 + 1))[1]


def test_a_missing_file_names_the_files_near_it(tmp_path: Path) -> None:
    for name in ("Pulumi.prod.yaml", "Pulumi.staging.yaml", "Pulumi.yaml", "notes.txt"):
        write(tmp_path, "", name)
    with pytest.raises(SettingsError) as refused:
        read_stack_file(tmp_path / "Pulumi.prd.yaml")
    assert (
        "Did you mean `Pulumi.prod.yaml`? Stack files here: `Pulumi.prod.yaml`, `Pulumi.staging.yaml`"
        in str(refused.value)
    )
    with pytest.raises(SettingsError, match="Stack files here: `Pulumi.prod.yaml`"):
        read_stack_file(tmp_path / "x.yaml")
    with pytest.raises(SettingsError, match="slipway init"):
        read_stack_file(tmp_path / "nowhere" / "Pulumi.dev.yaml")


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="A folder, not a file"):
        read_stack_file(tmp_path)
    with pytest.raises(SettingsError, match="Cannot be read"):
        read_stack_file(tmp_path / "a\0b")
    loop = tmp_path / "loop.yaml"
    os.symlink(loop, loop)
    with pytest.raises(SettingsError, match="Cannot be read"):
        read_stack_file(loop)


def test_all_errors_of_notation_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "config:\n  slipway:k: {a: 017, b: 2001-01-31}\n  slipway:k: 1\n  k: 1\nfoo: 1\n"
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, text)
    assert [problem.where and problem.where.line for problem in refused.value.problems] == [2, 2, 3, 4, 5]
    assert refused.value.text().endswith("5 errors, nothing was changed.")


def test_a_path_outside_the_working_directory_is_shown_as_it_was_given(tmp_path: Path) -> None:
    file = read(tmp_path, EXAMPLE)
    assert file.positions[()] == Position(str(tmp_path / "Pulumi.dev.yaml"), 2, 1)
