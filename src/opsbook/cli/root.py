"""The root command, how commands are found, and what happens to an error nobody answered."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from keyword import iskeyword
from typing import Any

import click

from opsbook import __version__
from opsbook.cli import words

FINE, FAILED, MISUSED, STOPPED = 0, 1, 2, 130


class Lazy(click.Group):
    """A group that knows its commands by name and one line each, and imports one when it is called.

    ``--help`` is answered from the lines alone: it would otherwise load every command to show them.
    ``default`` is the command meant where none is named, so that ``opsbook runs`` lists them.
    """

    def __init__(
        self, *args: Any, package: str, lines: Mapping[str, str], default: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.package = package
        self.lines = lines
        self.default = default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front where the first word is an option or nothing."""
        unnamed = not args or args[0].startswith("-")
        if self.default and unnamed and not set(args) & set(self.get_help_option_names(ctx)):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which people meet them, which is not the alphabet's."""
        return list(self.lines)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module; each has exactly one ``command``."""
        if cmd_name not in self.lines:
            return None
        from importlib import import_module

        # `import` is a word of Python's own, and no module can be called that.
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        found: click.Command = import_module(f"{self.package}.{name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line per command."""
        with formatter.section(words.COMMANDS):
            formatter.write_dl(list(self.lines.items()))


@click.group(
    cls=Lazy,
    package="opsbook.cli.commands",
    lines=words.ROOT,
    help=words.ABOUT,
    epilog=words.EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help=words.DEBUG)
@click.version_option(__version__, prog_name="opsbook", message="%(prog)s %(version)s")
def cli(debug: bool) -> None:
    """See ``words.ABOUT``."""
    del debug  # read by `main`, which takes it wherever it stands; this is its line in the help
    if os.environ.get("NO_COLOR"):
        click.get_current_context().color = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 fine, 1 findings or failure, 2 usage.

    No traceback is ever shown unless asked for: whoever reads it at night cannot use it, and it
    would hide the sentence they can use.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = bool(os.environ.get("OPSBOOK_DEBUG"))
    if "--debug" in given:
        given.remove("--debug")
        debug = True
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = cli.main(given, prog_name="opsbook", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(words.INTERRUPTED, err=True)
        return STOPPED
    except BrokenPipeError:
        _close_quietly()
        return FAILED
    except Exception as error:  # the program's edge: nothing above could answer it
        if debug:
            raise
        from opsbook.cli.failure import explain

        return explain(error)
    return status if isinstance(status, int) else FINE


def _close_quietly() -> None:
    """Let `opsbook … | head` end without a complaint of Python's own at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
