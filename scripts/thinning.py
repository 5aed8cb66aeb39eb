"""Logs and curves with fewer entries. Needs Python 3 alone."""

import bisect
import json


def thinned(rows, entries, update):
    """At most so many of the rows, with the last one among them. They are equally far apart in updates, of which
    `update` says that of a row: a log that was thinned before may be denser at its end."""
    if len(rows) <= entries:
        return rows
    updates = [update(row) for row in rows]
    first, last = updates[0], updates[-1]
    wanted = (first + (last - first) * at / (entries - 1) for at in range(entries))
    return [rows[at] for at in sorted({bisect.bisect_left(updates, place - 1e-6) for place in wanted})]


def thin(path, entries):
    """Leaves at most so many lines of a `metrics.jsonl`."""
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(thinned(lines, entries, lambda line: json.loads(line)["update"])))
