from ._aliases import PromptEncoder as PromptEncoder
from ._defsent import DefSent as DefSent
from ._defsent_plus import DefSentPlus as DefSentPlus
from ._result import DefSentResult as DefSentResult
from ._result import TrainingRound as TrainingRound
from ._result import TrainingStep as TrainingStep
