#!/usr/bin/env python3
"""Copies measured results into the documents that quote them, so that no figure is typed by hand.

    python3 scripts/results.py            # brings README.md up to date
    python3 scripts/results.py --check    # fails where it is not

In README.md, what stands between `<!-- from PATH -->` and `<!-- /from -->` is the contents of that file without its
title, with links made relative to README.md. PATH#HEADING takes the section of that heading alone. The files are
written by `stpn reproduce` and the other scripts in this folder. Needs Python 3 alone.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- from (\S+?)(?:#(.+?))? -->\n).*?(<!-- /from -->)", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|/)([^)]+)\)")


def section(text, heading):
    """What stands below a heading, up to the next."""
    parts = re.split(rf"^#+ {re.escape(heading)}$\n", text, maxsplit=1, flags=re.MULTILINE)
    if len(parts) != 2:
        raise SystemExit(f"no heading {heading!r}")
    return re.split(r"^#+ ", parts[1], maxsplit=1, flags=re.MULTILINE)[0]


def contents(path, heading):
    text = (ROOT / path).read_text()
    text = section(text, heading) if heading else re.sub(r"\A#+ .*\n", "", text)
    folder = pathlib.PurePosixPath(path).parent
    return LINK.sub(lambda link: f"]({folder / link[1]})", text).strip() + "\n"


def main():
    readme = ROOT / "README.md"
    old = readme.read_text()
    new = BLOCK.sub(lambda block: block[1] + contents(block[2], block[3]) + block[4], old)
    if "--check" in sys.argv[1:]:
        if new != old:
            raise SystemExit("README.md differs from the results it quotes: python3 scripts/results.py")
    else:
        readme.write_text(new)


main()
