from ._defsent import DefSent as DefSent
from ._defsent_plus import DefSentPlus as DefSentPlus
from ._prompt import PromptEncoder as PromptEncoder
from ._result import DefSentResult as DefSentResult
from ._result import TrainingRound as TrainingRound
from ._training import TrainingStep as TrainingStep
