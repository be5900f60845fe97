"""Quality of ground truth: what is measured of trials and persons, and which are good enough.

`measure_trial` and `measure_person` give plain numbers; `judge_trial` and `judge_person` hold them against `Rules`.
`landmark_mask` says which marker samples may be trusted.
"""

from ik_pipeline.quality.markers import landmark_mask
from ik_pipeline.quality.person import measure_person
from ik_pipeline.quality.rules import Rules, judge_person, judge_trial, trial_severity
from ik_pipeline.quality.trial import measure_trial
from ik_pipeline.quality.types import PersonQuality, TrialQuality

__all__ = [
    "PersonQuality",
    "Rules",
    "TrialQuality",
    "judge_person",
    "judge_trial",
    "landmark_mask",
    "measure_person",
    "measure_trial",
    "trial_severity",
]
