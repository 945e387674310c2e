"""What differs between two recordings."""

import math
from typing import NamedTuple

_MISSING = object()


class Difference(NamedTuple):
    """One place of a case at which two recordings differ."""

    case: str
    kind: str
    path: str
    old: object
    new: object


def report(old, new, names, *, tolerance, numbers_only, n_rows):
    """Print what differs, and return 1 if anything does."""
    for package in sorted({*old["about"], *new["about"]}):
        versions = old["about"].get(package), new["about"].get(package)
        if versions[0] != versions[1]:
            print(f"note: {package} was {versions[0]} and is {versions[1]}")
    found, within = [], []
    for name in names:
        before, after = old["cases"].get(name, _MISSING), new["cases"].get(name, _MISSING)
        for one in _differences(name, before, after):
            if numbers_only and not _has_numbers(one):
                continue
            (within if one.kind == "number" and _distance(one.old, one.new) <= tolerance else found).append(one)
    _print_table("numbers", [one for one in found if one.kind == "number"], n_rows)
    for kind in ("text differs", "value differs", "length differs", "missing", "new", "error"):
        _print_list(kind, [one for one in found if one.kind == kind], n_rows)
    if within:
        largest = max(_distance(one.old, one.new) for one in within)
        print(f"{len(within)} numbers differ within the tolerance of {tolerance:g}, by {largest:.3g} at most")
    print(f"{len(names)} cases compared: {len({one.case for one in found})} differ, in {len(found)} places")
    return int(bool(found))


def _differences(case, old, new):
    """Yield all differences between two recordings of a case."""
    if _MISSING not in (old, new) and ("error" in old) != ("error" in new):
        yield Difference(case, "error", "the case", old.get("error", "worked"), new.get("error", "works"))
    else:
        yield from _walk(case, "", old, new)


def _walk(case, path, old, new):
    """Yield all differences between two values of JSON."""
    if old is _MISSING or new is _MISSING:
        yield Difference(case, "new" if old is _MISSING else "missing", path or "the case", old, new)
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _walk(case, f"{path}.{key}".lstrip("."), old.get(key, _MISSING), new.get(key, _MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            yield Difference(case, "length differs", path, len(old), len(new))
        for place, (first, second) in enumerate(zip(old, new, strict=False)):
            yield from _walk(case, f"{path}[{place}]", first, second)
    elif not _same(old, new):
        yield Difference(case, _kind(old, new), path, old, new)


def _same(old, new):
    both_nan = isinstance(old, float) and isinstance(new, float) and math.isnan(old) and math.isnan(new)
    return both_nan or (old == new and isinstance(old, bool) == isinstance(new, bool))


def _kind(old, new):
    if _is_number(old) and _is_number(new):
        return "number"
    return "text differs" if isinstance(old, str) and isinstance(new, str) else "value differs"


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_numbers(found):
    """Say whether a difference is one of numbers, or of something that holds numbers."""
    if found.kind in ("number", "length differs", "error"):
        return True
    return any(map(_holds_number, (found.old, found.new)))


def _holds_number(value):
    if isinstance(value, dict | list):
        return any(map(_holds_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, bool | int | float)


def _distance(old, new):
    """Return the difference, relative to numbers above 1."""
    distance = abs(old - new) / max(1.0, abs(old), abs(new))
    return math.inf if math.isnan(distance) else distance


def _relative(old, new):
    return abs(old - new) / max(abs(old), abs(new))


def _print_table(title, found, n_rows):
    if not found:
        return
    rows = [("case", "path", "old", "new", "absolute", "relative")]
    for one in _first_of_each_case(found, n_rows):
        absolute, relative = abs(one.old - one.new), _relative(one.old, one.new)
        rows.append((one.case, one.path, f"{one.old!r}", f"{one.new!r}", f"{absolute:.3g}", f"{relative:.3g}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"\n{title}: {len(found)} differ")
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    _print_rest(found, n_rows)


def _print_list(title, found, n_rows):
    if not found:
        return
    print(f"\n{title}: {len(found)}")
    for one in _first_of_each_case(found, n_rows):
        if one.kind in ("missing", "new"):
            print(f"{one.case}  {one.path}")
        else:
            print(f"{one.case}  {one.path}\n    old: {_short(one.old)}\n    new: {_short(one.new)}")
    _print_rest(found, n_rows)


def _short(value, length=300):
    text = str(value)
    return text if len(text) <= length else f"{text[:length]}…"


def _first_of_each_case(found, n_rows):
    counts = {}
    for one in found:
        counts[one.case] = counts.get(one.case, 0) + 1
        if counts[one.case] <= n_rows:
            yield one


def _print_rest(found, n_rows):
    shown = sum(1 for _ in _first_of_each_case(found, n_rows))
    if shown < len(found):
        print(f"… and {len(found) - shown} more: see --rows")
