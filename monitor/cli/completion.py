"""``monitor completion``."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    \b
    Examples:
      monitor completion bash > ~/.local/share/bash-completion/completions/monitor
      monitor completion zsh > "${fpath[1]}/_monitor"
      monitor completion fish > ~/.config/fish/completions/monitor.fish
    """
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # click knows all shells of the choice
    # _MONITOR_COMPLETE is the variable by which the script asks this program what may follow.
    click.echo(kind(context.find_root().command, {}, "monitor", "_MONITOR_COMPLETE").source())
