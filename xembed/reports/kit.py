"""What page functions are made of, in one place; CONTRIBUTING.md says how to write one."""

from xembed.reports._blocks import *  # noqa: F403
from xembed.reports._figures import *  # noqa: F403
from xembed.reports._format import *  # noqa: F403
from xembed.reports._methods import *  # noqa: F403
from xembed.reports._page import *  # noqa: F403
from xembed.reports._text import *  # noqa: F403
from xembed.reports._words import *  # noqa: F403
