#!/usr/bin/env python3
"""Copies measured results and files of code into the documents that quote them, so that none is typed by hand.

    python3 scripts/results.py            # brings README.md and docs/ up to date
    python3 scripts/results.py --check    # fails if they are not

What stands between `<!-- from PATH -->` and `<!-- /from -->` is the contents of that file of the repository. Markdown
comes without its title, and with links made relative to the document; anything else comes as a block of code.
PATH#HEADING takes the section of that heading alone. The files are written by `stpn reproduce` and the other scripts in
this folder. Needs Python 3 alone.
"""

import pathlib
import posixpath
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- from ([^\s#]+)(?:#(.+?))? -->\n).*?(<!-- /from -->)", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|/)([^)]+)\)")
LANGUAGES = {".rs": "rust", ".toml": "toml", ".py": "python", ".sh": "sh"}


def section(text, heading):
    """What stands below a heading, up to the next."""
    parts = re.split(rf"^#+ {re.escape(heading)}$\n", text, maxsplit=1, flags=re.MULTILINE)
    if len(parts) != 2:
        raise SystemExit(f"no heading {heading!r}")
    return re.split(r"^#+ ", parts[1], maxsplit=1, flags=re.MULTILINE)[0]


def contents(document, path, heading):
    """What a document quotes of a file."""
    text = (ROOT / path).read_text()
    if not path.endswith(".md"):
        return f"```{LANGUAGES.get(pathlib.Path(path).suffix, 'text')}\n{text.strip()}\n```\n"
    text = section(text, heading) if heading else re.sub(r"\A#+ .*\n", "", text)
    here = posixpath.dirname(document)

    def link(found):
        return f"]({posixpath.relpath(posixpath.join(posixpath.dirname(path), found[1]), here or '.')})"

    return LINK.sub(link, text).strip() + "\n"


def main():
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    for document in documents:
        name = document.relative_to(ROOT).as_posix()
        old = document.read_text()
        new = BLOCK.sub(lambda block: block[1] + contents(name, block[2], block[3]) + block[4], old)
        if new == old:
            continue
        if "--check" in sys.argv[1:]:
            raise SystemExit(f"{name} differs from what it quotes: python3 scripts/results.py")
        document.write_text(new)


main()
