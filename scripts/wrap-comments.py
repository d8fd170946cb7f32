"""Wraps comment lines of Swift files that are longer than 120 columns, which `swift format` leaves as they are.

usage: wrap-comments.py PATH…    (files, or directories to search)

Words that do not fit move to the next line of the same comment. Lists, tables and indented code stay as they are.
"""

import re
import sys
from pathlib import Path

COLUMNS_MAX = 120
COMMENT = re.compile(r"^(\s*//+ )(\S.*)$")
FIXED = re.compile(r"^(- |\||```)")


def wrapped(lines):
    """The lines with the overflow of each comment line moved down."""
    result = []
    pending = list(lines)
    while pending:
        line = pending.pop(0)
        match = COMMENT.match(line)
        if not match or len(line) <= COLUMNS_MAX or FIXED.match(match[2]):
            result.append(line)
            continue
        prefix, words = match[1], match[2].split(" ")
        count = len(words)
        while count > 1 and len(prefix + " ".join(words[:count])) > COLUMNS_MAX:
            count -= 1
        result.append(prefix + " ".join(words[:count]))
        rest = " ".join(words[count:])
        following = COMMENT.match(pending[0]) if pending else None
        if rest and following and following[1] == prefix and not FIXED.match(following[2]):
            pending[0] = prefix + rest + " " + following[2]
        elif rest:
            pending.insert(0, prefix + rest)
    return result


def main():
    for argument in map(Path, sys.argv[1:]):
        for path in sorted(argument.rglob("*.swift")) if argument.is_dir() else [argument]:
            text = path.read_text(encoding="utf-8")
            changed = "\n".join(wrapped(text.split("\n")))
            if changed != text:
                path.write_text(changed, encoding="utf-8")
                print(f"wrapped comments in {path}")


if __name__ == "__main__":
    main()
