"""Damage to files: to bytes, and to what JSON holds."""

import copy
import json

ODD = (
    None, True, False, -1, 0, 1, 7, 0.5, -0.5, 1e300, -1e300, 10**30, "", "text", "\ud800", "\x1b[31m", [], {}, [None],
    [1, "a"], [[1], [2, 3]], [True], {"a": 1}, {"schema": "xembed.shift.Term/1"},
)  # fmt: skip


def damaged_bytes(content, rng):
    """Return bytes with one thing wrong, and what it is."""
    place = int(rng.integers(len(content)))
    kind = str(rng.choice(["flip", "cut", "zero", "gap", "doubled", "inserted"]))
    if kind == "flip":
        return content[:place] + bytes([content[place] ^ (1 << int(rng.integers(8)))]) + content[place + 1 :], kind
    if kind == "cut":
        return content[:place], kind
    if kind == "zero":
        return content[:place] + bytes(min(9, len(content) - place)) + content[place + 9 :], kind
    if kind == "gap":
        return content[:place] + content[place + 1 + int(rng.integers(40)) :], kind
    if kind == "doubled":
        return content[:place] + content[max(0, place - int(rng.integers(1, 40))) :], kind
    odd = [
        b"\xff",
        b"\xef\xbb\xbf",
        b"NaN",
        b"Infinity",
        b"1e999",
        b'"',
        b"\\ud800",
        b"{",
        b"]",
        b"\n",
        b"\r",
        b"\t",
        b",",
    ]
    return content[:place] + odd[int(rng.integers(len(odd)))] + content[place:], kind


def damaged_data(data, rng):  # noqa: C901 - one kind of damage a branch
    """Return a copy of plain data with one thing wrong, and what it is."""
    data = copy.deepcopy(data)
    holder = data
    for _ in range(int(rng.integers(6))):  # as often a field of the result as a number deep inside
        inner = [
            item for item in (holder.values() if isinstance(holder, dict) else holder) if isinstance(item, dict | list)
        ]
        inner = [item for item in inner if item]
        if not inner:
            break
        holder = inner[int(rng.integers(len(inner)))]
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = keys[int(rng.integers(len(keys)))]
    kind = str(rng.choice(["odd", "odd", "odd", "gone", "renamed", "doubled", "halved", "swapped", "deep", "large"]))
    if kind == "gone":
        del holder[key]
    elif kind == "renamed" and isinstance(holder, dict):
        holder[f"{key}_"] = holder.pop(key)
    elif kind == "doubled" and isinstance(holder[key], list):
        holder[key] = holder[key] + holder[key][-1:]
    elif kind == "halved" and isinstance(holder[key], list):
        holder[key] = holder[key][: len(holder[key]) // 2]
    elif kind == "swapped":
        other = keys[int(rng.integers(len(keys)))]
        holder[key], holder[other] = holder[other], holder[key]
    elif kind == "deep":
        for _ in range(int(rng.choice([2, 30, 60, 300]))):
            holder[key] = [holder[key]]
    elif kind == "large" and isinstance(holder[key], int | float):
        holder[key] = holder[key] * 10 ** int(rng.integers(1, 25))
    else:
        kind, holder[key] = "odd", ODD[int(rng.integers(len(ODD)))]
    return data, f"{kind} at {key!r:.40}"


def damaged_json(data, rng):
    """Return the bytes of a JSON file with one thing wrong, and what it is."""
    if rng.random() < 0.2:
        return damaged_bytes(json.dumps(data).encode(), rng)
    changed, what = damaged_data(data, rng)
    return json.dumps(changed).encode(), what
