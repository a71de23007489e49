"""The highest true rate that a number of events leaves possible."""

from scipy import stats


def rate_at_most(events: int, n: int, confidence: float = 0.95) -> float:
    """One-sided, exact binomial.

    Source: Clopper and Pearson, "The Use of Confidence or Fiducial Limits", Biometrika 26 (1934).
    """
    return 1.0 if events >= n else float(stats.beta.ppf(confidence, events + 1, n - events))
