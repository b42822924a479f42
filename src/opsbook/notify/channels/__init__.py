"""The channels there are. A new one is a module here and a line below."""

from opsbook.notify.channel import Channel
from opsbook.notify.channels.apprise import Apprise
from opsbook.notify.channels.inbox import Inbox

CHANNELS: dict[str, type[Channel]] = {
    Inbox.name: Inbox,
    Apprise.name: Apprise,
}
