"""The text of a scenario: one entry per line if it fits, and quotes where they are needed."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from ..scenario.document import value_of_word

#: How long a line is, at the most, where it can be broken.
WIDTH = 110


Data = dict[str, Any]


def dump(data: Data) -> str:
    """The text of a scenario: an entry a line, as far as it fits."""
    return "".join(_lines(data, ("jobs", "schedulers", "events", "listeners"), ""))


def _lines(data: Data, lists: Sequence[str], margin: str) -> Iterator[str]:
    for key, value in data.items():
        if key in lists and isinstance(value, list):
            yield f"{margin}{key}:\n"
            for entry in value:
                line = f"{margin}  - {_flow(entry)}\n"
                if len(line) <= WIDTH and "jobs" not in entry:
                    yield line
                else:
                    first, *more = _lines(entry, lists, margin + "    ")
                    yield f"{margin}  - {first[len(margin) + 4 :]}"
                    yield from more
        elif isinstance(value, dict) and value and (key in ("pool", "expect") or len(_flow(value)) > WIDTH - 20):
            yield f"{margin}{_flow(key)}:\n"
            yield from _lines(value, lists, margin + "  ")
        elif not margin and isinstance(value, str):
            text = yaml.safe_dump(value, width=10**9, allow_unicode=True).removesuffix("\n").removesuffix("\n...")
            if value_of_word(text) is not text:
                text = _flow(value)
            if key == "about" and len(text) > WIDTH - 10:
                yield "about: >\n" + textwrap.indent(textwrap.fill(value, WIDTH - 2), "  ") + "\n"
            else:
                yield f"{key}: {text}\n"
        elif isinstance(value, list) and len(_flow(value)) > WIDTH - 20:
            yield f"{margin}{_flow(key)}:\n"
            yield from (f"{margin}  - {_flow(each)}\n" for each in value)
        else:
            yield f"{margin}{_flow(key)}: {_flow(value)}\n"


def _flow(value: Any) -> str:
    """A value on one line."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")


class _Dumper(yaml.SafeDumper):
    """Writes texts that need quotes in double ones."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    needs = not reads_as_itself(value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"' if needs else None)


#: What may stand in a text without quotes wherever it is, and what it may begin with.
_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f-\xa0\u2028\u2029#:,\[\]{}\"']([^\x00-\x1f\x7f-\xa0\u2028\u2029#:,\[\]{}]*\S)?")


def reads_as_itself(text: str) -> bool:
    """Whether a text can stand in a scenario without quotes: neither YAML nor a scenario takes it for anything else."""
    dumped = yaml.safe_dump([text], default_flow_style=True, width=10**9, allow_unicode=True)
    return dumped[1] not in "'\"" and value_of_word(text) is text and _PLAIN.fullmatch(text) is not None


_Dumper.add_representer(str, _text)
