"""Drift of a stream of texts: windows against all that came before, with one error rate for all looks together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from xembed._core import validation
from xembed._core.directions import direction_weights
from xembed._core.fields import Count, Counts, Floats, Level, OneOf, Probabilities, Probability, Provenance, Sides
from xembed._core.progress import shows_steps
from xembed._core.provenance import provenance
from xembed._core.results import DataFrame, PerRow, Result, UserText, data_frame
from xembed._core.text import short_names
from xembed._core.validation import RNG, Embeddings, check_count, check_rng, describe_rng
from xembed.encoders._corpora import check_unread, lead_verdict, named_column, read_corpora, unread_verdict
from xembed.shift._kinds import DEFAULT, KINDS
from xembed.shift._monitor import SHARES, Alarm, Look, bet, calibrator, columns, no_bets, summaries, watch, window_limit
from xembed.shift._windows import DATES, LENGTHS, Cut, Label, Stream, Window, cut, is_place, read_stream, read_times

_CALLER = "drift_over_time"
# Fewest rows, and fewest groups, that a window is tested with.
_MIN_ROWS, _MIN_GROUPS = 10, 2


@dataclass(frozen=True, repr=False)
class DriftResult(Result):
    """Result of `drift_over_time`. T: windows tested, counted from 0; K: tests, named by ``tests``.

    Attributes
    ----------
    verdict : str
        The finding in words.
    detected : bool
        Whether the evidence reached the threshold.
    detection_window : int or None
        First window in which it did.
    detection_time : str, float or None
        End of that window.
    detected_by : str or None
        The test whose bets did, or 'combined': the p-value of that window alone.
    change_window : int or None
        Where the change seems to begin: the most likely window, given the p-values up to the alarm. It is a window or
        two off where the change is small.
    change_time : str, float or None
        Start of that window.
    alpha : float
        Bound of the chance of any false alarm, however many windows there are.
    threshold : float
        1 / alpha.
    starts, ends : tuple of str or float, (T,)
        The first and the last time of a window of rows; the bounds of a window of time, its end not included.
    counts : ndarray of shape (T,), int
        Rows of each window.
    compared : ndarray of shape (T,), int
        Rows of earlier texts that each window was tested against.
    tests : tuple of str, (K,)
        Tests of the battery.
    shares : ndarray of shape (K,)
        Each test's share of alpha. Their sum is 3/4; the rest is for windows alone.
    evidence : ndarray of shape (T,)
        What is compared with ``threshold``: the largest of the tests' martingales times their shares, and of ``limits``
        over ``pvalues`` times ``threshold``. At most 1e300. After the alarm it only describes.
    martingales, evalues, test_pvalues : ndarray of shape (T, K)
        For each test: capital, payoff of the bet on each window, and the p-value it was on.
    pvalues : ndarray of shape (T,)
        Of each window alone by the whole battery (Westfall-Young), not corrected for the number of windows.
    limits : ndarray of shape (T,)
        P-value at which a window alone raises the alarm.
    effects : ndarray of shape (T, K)
        Effect sizes of the tests against the earlier texts, as in `compare_corpora`; that of depth is positive where
        the window is deeper.
    similarity_within : ndarray of shape (T,)
        Mean cosine of two different texts of the window.
    similarity_to_reference : ndarray of shape (T,)
        Mean cosine of a text of the window and one of the reference.
    depth_mean, depth_sd : ndarray of shape (T,)
        Mean and standard deviation of the depths of the window's texts in the reference.
    reference_depth_mean, reference_depth_sd : float
        The same of the reference, each text left out of its own depth.
    resultants : ndarray of shape (T, n_dims)
        Sums of each window's unit rows, to 7 decimals.
    reference_resultant : ndarray of shape (n_dims,)
        That of the reference.
    n_reference : int
        Rows of the reference.
    n_waiting : int
        Rows at the end that do not fill a window yet and were not tested.
    names : tuple of str
        Names of the reference and the stream.
    encoder : dict or None
        The model that the embeddings come from, if it was given.
    warnings : tuple of str
        What a reader should know before trusting the numbers.
    provenance : dict
        Function, parameters and versions.
    unread : tuple of float
        Shares of the texts of the reference and of the stream of which the encoder reads nothing. From a half on the
        verdict says so first, whatever ``detected`` is.

    Notes
    -----
    Resultants and counts are all that is needed to compare windows later, without their rows. They add up: the
    resultant of several windows is the sum of theirs. With resultants s, t of n, m texts the mean cosine between them
    is s·t/(nm), that of two different texts of one is (s·s - n)/(n(n - 1)), and the mean depth of the one in the
    other is 1 plus the mean cosine between them.
    """

    schema: ClassVar[str] = "xembed.shift.DriftResult/1"
    page: ClassVar[str | None] = "xembed.shift._pages.drift:drift"

    verdict: str
    detected: bool
    detection_window: Count | None
    detection_time: str | float | None
    detected_by: str | None
    change_window: Count | None
    change_time: str | float | None
    alpha: Level
    threshold: float
    starts: Annotated[tuple[str | float, ...], Sides("counts")]
    ends: Annotated[tuple[str | float, ...], Sides("counts")]
    counts: Annotated[Counts, Sides("counts")]
    compared: Annotated[Counts, Sides("counts")]
    tests: tuple[Annotated[str, OneOf(*KINDS)], ...]
    shares: Annotated[Probabilities, Sides("tests")]
    evidence: Annotated[Floats, Sides("counts"), PerRow("windows", "starts")]
    martingales: Annotated[Floats, Sides("counts", "tests")]
    evalues: Annotated[Floats, Sides("counts", "tests")]
    test_pvalues: Annotated[Probabilities, Sides("counts", "tests")]
    pvalues: Annotated[Probabilities, Sides("counts"), PerRow("windows", "starts")]
    limits: Annotated[Probabilities, Sides("counts")]
    effects: Annotated[Floats, Sides("counts", "tests")]
    similarity_within: Annotated[Floats, Sides("counts")]
    similarity_to_reference: Annotated[Floats, Sides("counts"), PerRow("windows", "starts")]
    depth_mean: Annotated[Floats, Sides("counts"), PerRow("windows", "starts")]
    depth_sd: Annotated[Floats, Sides("counts")]
    reference_depth_mean: float
    reference_depth_sd: float
    resultants: npt.NDArray[np.float64]
    reference_resultant: npt.NDArray[np.float64]
    n_reference: Count
    n_waiting: Count
    names: Annotated[tuple[str, str], UserText]
    encoder: dict[str, Any] | None
    warnings: tuple[str, ...]
    provenance: Provenance
    unread: tuple[Probability, Probability] = (0.0, 0.0)

    def to_frame(self) -> DataFrame:
        """Return a table with a row a window."""
        columns: dict[str, Any] = {
            "start": self.starts,
            "end": self.ends,
            "rows": self.counts,
            "pvalue": self.pvalues,
            "limit": self.limits,
            "evidence": self.evidence,
            "alarm": self.evidence >= self.threshold,
        }
        columns |= {f"effect_{name}": column for name, column in zip(self.tests, self.effects.T, strict=True)}
        columns |= {
            "similarity_within": self.similarity_within,
            "similarity_to_reference": self.similarity_to_reference,
            "depth_mean": self.depth_mean,
            "depth_sd": self.depth_sd,
        }
        return data_frame(columns)


@shows_steps
def drift_over_time(
    X: Embeddings,
    times: Any,
    *,
    text_column: str | None = None,
    reference: Any,
    window: Any,
    alpha: float = 0.05,
    groups: Any = None,
    n_resamples: int = 999,
    max_rows: int = 1000,
    min_rows: int | None = None,
    names: tuple[str, str] = ("reference", "stream"),
    encoder: Any = None,
    warnings: Sequence[str] = (),
    unread: tuple[float, float] = (0.0, 0.0),
    progress: bool | None = None,
    rng: RNG = None,
) -> DriftResult:
    r"""Watch a stream of texts for drift, with one error rate for all looks together.

    The stream is cut into windows. Each is tested against the reference and all earlier windows by the battery of
    `compare_corpora`, the p-values become bets, and an alarm is raised when the capital that the bets have won reaches
    1 / alpha. If nothing changes, the chance that this **ever** happens is at most alpha, for any number of windows:
    look as often as you like, and stop or go on as you like. Calling again with more rows gives the same values for
    the earlier windows.

    Parameters
    ----------
    X : array-like of shape (n_texts, n_dims), or texts
        Embeddings in the order of time, or the texts themselves, which are encoded when everything else has been
        checked: a list or column of strings, or a table with a ``text_column``. The index of a DataFrame or Series is
        not used: rows are counted from 0.
    times : array-like of shape (n_texts,), or str
        When each text was written: numbers, or dates (datetime64, datetime objects, ISO strings; times with a zone
        become UTC), never decreasing; or the name of a column, where X is a table. Where there are none,
        ``np.arange(n_texts)`` will do.
    text_column : str, optional
        Column of the texts, where X, or the reference, is a DataFrame or another table.
    reference : array-like of shape (n_reference, n_dims), texts, int, or a time
        What the stream is compared with. An array, or texts as X: all of X is the stream. An integer: the first so
        many rows of X (with groups: groups). A time of the same kind as ``times``, a float or a date: the rows of X
        before it.
    window : int, float, str or timedelta
        An integer: rows a window (with groups: groups). Otherwise a length of time: a float where times are numbers;
        for dates a string as pandas reads it ('7D', '12h'; 'MS', 'QS', 'YS': calendar months, quarters, years) or a
        timedelta. Windows of a length start from the time given as ``reference``, else from the first text of the
        stream (whole days: from the midnight before).
    alpha : float in (0, 1), default=0.05
        Bound of the chance of any false alarm.
    groups : sequence, pair of sequences, or str, optional
        The group (document, conversation, author) of each row of X; a pair, for the reference and for X, where the
        reference is an array; or the name of a column of the tables. Rows of a group are not independent: the group
        belongs to the window of its first row, and whole groups are permuted.
    n_resamples : int, default=999
        Random permutations of the labels a window. The smallest p-value is 1 / (n_resamples + 1), so fewer mean later
        alarms.
    max_rows : int, default=1000
        Windows with more rows are thinned to so many at random, which bounds the time that a window takes. Earlier
        texts are thinned to the same number, or to 500 or four times the window where that is less.
    min_rows : int, optional
        Fewest rows (with groups: groups) of the reference and of a window; 10 by default, with groups 2. A window of
        time with fewer is joined with the next, and ``warnings`` says so. What does not fill a last window waits.
    names : pair of str, default=('reference', 'stream')
        Names of the two in the report.
    encoder : encoder, str, path or mapping, optional
        For texts what encodes them, for embeddings the description of what made them, as in `compare_corpora`.
    warnings : sequence of str, optional
        Warnings of earlier steps to show in the report.
    unread : pair of float, default=(0.0, 0.0)
        For embeddings the shares of the texts of the reference and of X of which the encoder reads nothing
        (`Encoding.unread`), in [0, 1]. For texts they are counted.
    progress : bool, optional
        Whether to show progress bars on stderr. By default only if that is a terminal.
    rng : int, numpy.random.Generator or None, default=None
        Source of the permutations and the thinning; None is seed 0.

    Returns
    -------
    DriftResult
        With a ``verdict`` in words, ``detected``, ``detection_time``, ``change_time``, the running ``evidence``, and of
        each window a summary that is small enough to keep.

    Raises
    ------
    ValueError
        If rows are zero or not finite, times are missing or go back (the first such row is named), the reference or
        all windows have too few rows, or a parameter is out of its range.
    TypeError
        If ``times``, ``reference`` and ``window`` are not of the same kind.

    See Also
    --------
    compare_corpora : what shifted, with the rows before ``change_time`` as F and those after as G.

    Notes
    -----
    The p-values of windows against all that came before are independent and uniform or larger without a change [1]_
    [2]_. Each becomes an e-value [3]_; the products from window k on are averaged with weights :math:`3/((k+2)(k+3))`.
    The result is a martingale :math:`M_t` that starts at 1, and :math:`P(\sup_t M_t \ge 1/\alpha) \le \alpha`. Each
    test has a martingale and a share of alpha; the shares sum to 3/4. The last quarter is for windows alone: window t
    raises the alarm if the combined p-value is at most :math:`\alpha / (4 t (t + 1))`. The proof, and what it does not
    cover, is in docs/explanation/depth_and_shift.md.

    After an alarm the guarantee has been spent, and later windows are compared with what came before ``change_window``.
    Texts that depend on each other and daily or weekly rhythms are not exchangeable and raise alarms: pass ``groups``,
    and windows and a reference of whole periods. The last window of time counts as complete.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman, G. Shafer. "Algorithmic Learning in a Random World". Springer 2005, section 7.1.
    .. [2] V. Vovk, I. Nouretdinov, A. Gammerman. "Testing Exchangeability On-Line". ICML 2003.
    .. [3] V. Vovk, R. Wang. "E-values: Calibration, combination and applications". Annals of Statistics 49 (2021),
           1736-1754.

    Examples
    --------
    >>> import numpy as np
    >>> from xembed.shift import drift_over_time
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(1.0, 1.0, size=(400, 8))
    >>> X[250:, 0] += 1.5
    >>> days = np.datetime64("2024-01-01") + np.arange(400) // 10
    >>> result = drift_over_time(X, days, reference="2024-01-11", window="3D", n_resamples=199)
    >>> result.detected, result.change_time, result.detection_time
    (True, '2024-01-26', '2024-02-01')
    """
    pair = validation.check_names(names, caller=_CALLER)
    seed = int(check_rng(rng, caller=_CALLER).integers(2**63))
    earlier = validation.check_warnings(warnings, caller=_CALLER)
    shares_unread = check_unread(unread, caller=_CALLER)
    outside = {} if is_place(reference) else {"reference": reference}
    corpora = read_corpora({"X": X, **outside}, encoder=encoder, text_column=text_column, caller=_CALLER)
    times = named_column(times, X, name="times", of="X", caller=_CALLER)
    if isinstance(groups, str):
        tables = {**outside, "X": X}
        by_table = [named_column(groups, table, name="groups", of=of, caller=_CALLER) for of, table in tables.items()]
        groups = by_table if outside else by_table[0]
    options: dict[str, Any] = dict(
        window=window, alpha=alpha, groups=groups, n_resamples=n_resamples, max_rows=max_rows, min_rows=min_rows
    )
    if corpora.texts:  # all that can be refused is, before they are encoded
        stand_in = corpora.places("reference") if "reference" in corpora.texts else reference
        plan(corpora.places("X"), times, reference=stand_in, **options)
    embeddings, of_encoding, described, counted = corpora.embed(X=pair[1], reference=pair[0])
    if corpora.texts:
        shares_unread = counted[-1], counted[0]
    reference = embeddings[1] if len(embeddings) > 1 else reference
    stream, made, smallest = plan(embeddings[0], times, reference=reference, **options)
    rows = stream.rows
    direction_weights(rows, name="X")
    windows = made.windows
    looks, alarm = watch(stream, windows, alpha, n_resamples, max_rows, seed, _CALLER)
    asked = {"reference": _describe(reference), "window": _describe(window), "alpha": float(alpha)}
    design = {"groups": None if groups is None else "given", "n_resamples": n_resamples, "max_rows": max_rows}
    parameters = asked | design | {"min_rows": smallest, "rng": describe_rng(rng), "n_dims": int(rows.shape[1])}
    short = short_names(pair)
    not_read = unread_verdict({f"the texts of “{one}”": share for one, share in zip(short, shares_unread, strict=True)})
    verdict = _verdict(looks, alarm, windows, alpha, short[1])
    return DriftResult(
        verdict=lead_verdict(not_read, verdict),
        detected=alarm is not None,
        detection_window=None if alarm is None else alarm.window,
        detection_time=None if alarm is None else windows[alarm.window].end,
        detected_by=None if alarm is None else (*DEFAULT, "combined")[alarm.test],
        change_window=None if alarm is None else alarm.change,
        change_time=None if alarm is None else windows[alarm.change].start,
        alpha=float(alpha),
        threshold=1 / float(alpha),
        starts=tuple(window.start for window in windows),
        ends=tuple(window.end for window in windows),
        tests=DEFAULT,
        shares=SHARES,
        n_waiting=int(stream.offsets[-1] - stream.offsets[-1 - made.n_waiting]),
        names=pair,
        encoder=described,
        warnings=(*earlier, *of_encoding, *_warn(made, stream, n_resamples, alpha)),
        provenance=provenance(_CALLER, **parameters),
        unread=shares_unread,
        **columns(looks),
        **summaries(stream, windows),
    )


def plan(
    X: Any,
    times: Any,
    *,
    reference: Any,
    window: Any,
    alpha: Any = 0.05,
    groups: Any = None,
    n_resamples: Any = 999,
    max_rows: Any = 1000,
    min_rows: Any = None,
) -> tuple[Stream, Cut, int]:
    """Check the arguments of `drift_over_time`, and return the stream, its windows and the fewest rows of one.

    Only the number of rows matters, so before texts are encoded any array of as many rows stands for ``X``, and for
    the reference where it is an array.
    """
    validation.check_number(alpha, name="alpha", caller=_CALLER, low=0, high=1, closed="neither")
    check_count(n_resamples, name="n_resamples", caller=_CALLER, low=19)
    check_count(max_rows, name="max_rows", caller=_CALLER, low=50)
    smallest = _MIN_ROWS if groups is None else _MIN_GROUPS
    if min_rows is not None:
        smallest = check_count(min_rows, name="min_rows", caller=_CALLER, low=2)
    rows = validation.check_embeddings(X, name="X", caller=_CALLER)
    stamps = read_times(times, n_rows=len(rows), caller=_CALLER)
    stream, origin = read_stream(rows, stamps, reference, groups, caller=_CALLER)
    if stream.n_reference < smallest:
        raise ValueError(
            f"The reference of {_CALLER} must have at least {smallest} {stream.unit}s (min_rows). Got "
            f"{stream.n_reference}."
        )
    made = cut(stream.times, window, origin=origin, min_units=smallest, caller=_CALLER)
    if not made.windows:
        raise ValueError(
            f"The stream of {_CALLER} does not fill a window: it has {len(stream.times)} {stream.unit}s, windows are "
            f"of {window!r}, and none is tested with less than {smallest} {stream.unit}s (min_rows)."
        )
    return stream, made, smallest


def _verdict(looks: list[Look], alarm: Alarm | None, windows: list[Window], alpha: float, name: str) -> str:
    if alarm is None:
        evidence = [float(look.evidence.max()) for look in looks]
        return (
            f"No drift found in {len(windows)} window{'s' * (len(windows) > 1)}: the evidence reached at most "
            f"{max(evidence):.3g} (window {int(np.argmax(evidence)) + 1}). The alarm is at {1 / alpha:.3g}, which a "
            f"stream without drift ever reaches with a chance of at most {alpha:.2g}. Changes that are small for "
            "windows of this size can go unseen."
        )
    battery = looks[alarm.window].battery
    # Where the window alone raised the alarm, the test with the smallest p-value speaks for it.
    test = DEFAULT[alarm.test if alarm.test < len(DEFAULT) else int(battery.combined.adjusted.argmin())]
    effect = float(battery.measured[test].effects[0])
    if test == "depth":
        meaning = f"its texts are {'deeper' if effect > 0 else 'less deep'} (2Q − 1 = {effect:+.2g})"
    else:
        meaning = f"{effect:+.2g} ({KINDS[test].effect})"
    seen, begin = windows[alarm.window], windows[alarm.change]
    return (
        f"“{name}” drifts: the alarm came with window {alarm.window + 1} of {len(windows)} ({_time(seen.start)} to "
        f"{_time(seen.end)}), evidence {looks[alarm.window].evidence.max():.3g}, alarm at {1 / alpha:.3g}. The change "
        f"seems to begin with window {alarm.change + 1} ({_time(begin.start)}). By {KINDS[test].title}, against what "
        f"came before: {meaning}. Without drift there is an alarm with a chance of at most {alpha:.2g}, however many "
        "windows there are."
    )


def _time(label: Label) -> str:
    return label if isinstance(label, str) else f"{label:.12g}"


def _warn(made: Cut, stream: Stream, n_resamples: int, alpha: float) -> list[str]:
    notes = []
    if made.n_joined:
        notes.append(
            f"{made.n_joined} window{'s' * (made.n_joined > 1)} with too few {stream.unit}s "
            f"{'were' if made.n_joined > 1 else 'was'} joined with the next."
        )
    if made.n_waiting:
        notes.append(
            f"The last {made.n_waiting} {stream.unit}{'s' * (made.n_waiting > 1)} do not fill a window yet and "
            "were not tested."
        )
    if stream.n_reference < np.median([window.last - window.first for window in made.windows]):
        notes.append(
            f"The reference ({stream.n_reference} {stream.unit}s) is smaller than a window. Windows become part of "
            "what later ones are compared with, so drift can become the new normal before it is seen."
        )
    if not _can_alarm(len(made.windows), n_resamples, alpha):
        notes.append(
            f"Too few windows ({len(made.windows)}) for an alarm at alpha = {alpha:g} with {n_resamples} permutations, "
            "whatever the texts: take shorter windows or more n_resamples."
        )
    return notes


def _can_alarm(n_windows: int, n_resamples: int, alpha: float) -> bool:
    """Say whether so many windows would raise the alarm if all p-values were as small as they can be."""
    bets = no_bets(len(SHARES))
    for number in range(n_windows):
        bets = bet(bets, calibrator(n_resamples)[:1])
        alone = 1 / (n_resamples + 1) <= window_limit(number, alpha)
        if alone or (bets.capital * SHARES).max() >= 1 / alpha:
            return True
    return False


def _describe(value: Any) -> int | float | str:
    if isinstance(value, int | float | str):
        return value
    if isinstance(value, np.integer | np.floating) and not isinstance(value, np.timedelta64):
        return value.item()
    return str(value) if isinstance(value, (*DATES, *LENGTHS)) else f"array of shape {np.shape(value)}"
