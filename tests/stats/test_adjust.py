"""P-values adjusted for their number: by their definitions, by scipy, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from xembed.stats import benjamini_hochberg, holm


def test_of_three():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.6, 0.9]), [1.0, 1.0])
    np.testing.assert_allclose(benjamini_hochberg([0.01, 0.04, 0.03, 0.5]), [0.04, 0.16 / 3, 0.16 / 3, 0.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_holm_is_its_definition(pvalues):
    adjusted = holm(pvalues)
    order = sorted(range(len(pvalues)), key=lambda i: pvalues[i])
    expected = 0.0
    for step, place in enumerate(order):
        expected = max(expected, min(1.0, pvalues[place] * (len(pvalues) - step)))
        assert adjusted[place] == pytest.approx(expected)


@given(st.lists(st.sampled_from([0.0, 0.001, 0.01, 0.04, 0.3, 1.0]) | st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=100, deadline=None)
def test_benjamini_hochberg_is_that_of_scipy(pvalues):
    np.testing.assert_array_equal(benjamini_hochberg(pvalues), false_discovery_control(pvalues))


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_none_stay_none(adjust):
    assert adjust([]).shape == (0,)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@pytest.mark.parametrize("pvalues", [[0.5, 1.5], [-0.1], [np.nan], [[0.5]], 0.5])
def test_what_is_no_p_value_is_refused(adjust, pvalues):
    with pytest.raises(ValueError, match=rf"'pvalues' parameter of {adjust.__name__} must be a 1-D array of numbers"):
        adjust(pvalues)
