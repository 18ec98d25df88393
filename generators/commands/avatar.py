"""``monitor gen avatar``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

import click

from generators.commands import Report, finite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL.Image import Image

MOST: Final = 100_000
LARGEST_SIDE: Final = 4096


def _size(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | Literal["first"] | None:
    if value is None or value == "first":
        return value  # type: ignore[return-value]  # mypy does not narrow a str to one of its values
    sides = re.fullmatch(r"([0-9]{1,5})[xX×]([0-9]{1,5})", value)
    size = (int(sides[1]), int(sides[2])) if sides else (0, 0)
    if not all(1 <= side <= LARGEST_SIDE for side in size):
        raise click.BadParameter(
            f"{value!r} is neither WxH, such as 264x280 with sides of 1 to {LARGEST_SIDE} pixels, nor 'first'",
            context,
            parameter,
        )
    return size


@click.command("avatar")
@click.option(
    "--images",
    metavar="DIR",
    type=click.Path(path_type=Path, readable=False),
    help="Learn from the images of this folder. Without: from a dozen faces that come with the program.",
)
@click.option("--resize", callback=_size, metavar="WxH|first", help="Bring all images to one size, or the first one's.")
@click.option(
    "--model",
    type=click.Choice(["channel", "pixel", "coherent"]),
    help="What is drawn by itself: every channel of every pixel, every pixel, or parts of the picture.  "
    "[default: coherent]",
)
@click.option(
    "--coherence",
    type=click.FloatRange(0, 1),
    callback=finite,
    help="Of the model coherent: 0 draws every pixel by itself, 1 whole images.  [default: 0.8]",
)
@click.option(
    "--smoothing",
    type=click.FloatRange(min=0),
    callback=finite,
    metavar="A",
    help="Added to each count; that of each of a channel's 256 values [0], or with --from-style of the table [1].",
)
@click.option("--from-style", is_flag=True, help="Draw the faces of random styles, as gen style does.")
@click.option(
    "--styles",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Another table of styles; only with --from-style.",
)
@click.option(
    "--given",
    multiple=True,
    metavar="ATTRIBUTE=VALUE",
    help="Only styles with this value; may be repeated; only with --from-style.",
)
@click.option(
    *("-n", "--number"),
    metavar="N",
    type=click.IntRange(1, MOST),
    default=5,
    show_default=True,
    help=f"How many are wanted; at most {MOST:,}.",
)
@click.option("--seed", metavar="N", type=click.IntRange(min=0), help="The random seed; without it, new avatars.")
@click.option(
    *("-o", "--output"),
    metavar="DIR",
    type=click.Path(path_type=Path, readable=False),
    default=Path("avatars"),
    show_default=True,
    help="Where to write; a folder for PNG files, contact-sheet.png and index.html.",
)
@click.option("--force", is_flag=True, help="Overwrite files that already exist.")
@click.option(
    *("--format", "form"),
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form of what is printed.",
)
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    number: int,
    seed: int | None,
    output: Path,
    force: bool,
    form: str,
    from_style: bool,
    **options: Any,
) -> None:
    """Make avatars: random pictures, each with its exact log-probability.

    Every pixel takes its colours from the images as often as the images show them. JSON is one object a line.

    \b
    Examples:
      monitor gen avatar --seed 1
      monitor gen avatar --from-style -n 20 --output faces/
    """
    _check(context, options, from_style=from_style)

    import secrets

    # A seed that was not given is told, so that the same avatars can be made again.
    seed = secrets.randbelow(2**32) if seed is None else seed
    make = _from_styles if from_style else _from_images
    made, sentence = make(context, number, seed, options)

    from generators.avatars.files import Gallery

    gallery, report = Gallery(output, number, force=force), Report()
    for image, facts, caption in made:
        path = gallery.add(image, facts, caption)
        if form == "json":
            import json

            report(json.dumps({"file": str(path), **facts}, ensure_ascii=False, allow_nan=False))
        else:
            report(f"{path}  {caption}")
    sentence = f"{number} {'avatar' if number == 1 else 'avatars'} {sentence}; seed {seed}."
    gallery.finish(sentence)
    conclusion = f"Wrote {sentence} All of them: {output / 'index.html'}"
    if form == "json":
        click.echo(conclusion, err=True)
    else:
        report(conclusion)


def _check(context: click.Context, options: Mapping[str, Any], *, from_style: bool) -> None:
    """Refuse options that would be ignored."""
    if from_style:
        for name in ("images", "model", "coherence"):
            if options[name] is not None:
                _clash(context, f"--{name} is for pictures made of images; leave it out with --from-style")
        if options["resize"] == "first":
            _clash(context, "--resize first needs --images; with --from-style give --resize WxH")
    else:
        for name in ("styles", "given"):
            if options[name]:
                _clash(context, f"--{name} is for drawn styles; give it with --from-style")
        if options["coherence"] is not None and options["model"] not in {None, "coherent"}:
            _clash(context, f"--coherence is for --model coherent; leave it out with --model {options['model']}")


def _clash(context: click.Context, sentence: str) -> NoReturn:
    raise click.UsageError(sentence, context)


def _from_images(
    _context: click.Context, number: int, seed: int, options: Mapping[str, Any]
) -> tuple[Iterator[tuple[Image, dict[str, Any], str]], str]:
    """Learn a model; the pictures with what is to be said of each, and of all."""
    from generators.avatars.models import COHERENCE, CoherentModel, embedded_sources, make_model, read_sources

    resize = options["resize"]
    if options["images"] is not None:
        sources = read_sources(options["images"], resize)
        origin = f"images of {options['images']}"
    else:
        sources = embedded_sources(resize) if isinstance(resize, tuple) else embedded_sources()
        origin = "built-in faces"
    coherence = COHERENCE if options["coherence"] is None else options["coherence"]
    model = make_model(
        options["model"] or "coherent",
        sources.pixels,
        smoothing=options["smoothing"] or 0.0,
        coherence=coherence,
    )
    said: dict[str, Any] = {"model": model.name, "smoothing": model.smoothing}
    if isinstance(model, CoherentModel):
        said["coherence"] = coherence
        if 0 < coherence < 1 and not model.no_copies and not model.smoothing:
            click.echo("an avatar may be a copy of an image, because these images differ too little", err=True)
    said |= {"sources": len(sources.names), "seed": seed}
    return _pictures(model, number, seed, said), f"by the model {model.name} of {len(sources.names)} {origin}"


def _pictures(
    model: Any, number: int, seed: int, said: Mapping[str, Any]
) -> Iterator[tuple[Image, dict[str, Any], str]]:
    from PIL import Image

    from generators.avatars.models import generate

    for avatar in generate(model, number, seed):
        facts = {
            **said,
            "number": avatar.number,
            "log_probability": avatar.log_probability,
            "bits_per_pixel": avatar.bits_per_pixel,
        }
        caption = f"log-probability {avatar.log_probability:.4f}, {avatar.bits_per_pixel:.6g} bits per pixel"
        if avatar.independent_log_probability is not None:
            facts["independent_log_probability"] = avatar.independent_log_probability
            facts["independent_bits_per_pixel"] = avatar.independent_bits_per_pixel
            caption += f" (were its pixels independent: {avatar.independent_bits_per_pixel:.6g})"
        yield Image.fromarray(avatar.pixels), facts, caption


def _from_styles(
    context: click.Context, number: int, seed: int, options: Mapping[str, Any]
) -> tuple[Iterator[tuple[Image, dict[str, Any], str]], str]:
    """Draw styles as ``gen style`` does; the faces with what is to be said of each, and of all."""
    from generators.avatars.faces import HEIGHT, WIDTH
    from generators.styles.sampling import StyleModel, default_table, read_table
    from generators.styles.texts import read_condition
    from monitor.api import DataError

    table = read_table(options["styles"]) if options["styles"] else default_table()
    smoothing = 1.0 if options["smoothing"] is None else options["smoothing"]
    whole = StyleModel.independent(table, smoothing)
    try:
        condition = read_condition(options["given"], whole)
    except DataError as error:
        raise click.BadParameter(str(error), context, param_hint="--given") from error
    size = options["resize"] or (WIDTH, HEIGHT)
    styles = whole.given(condition).sample(number, seed)
    return _drawn(styles, size, {"smoothing": smoothing, "seed": seed}), "drawn from styles"


def _drawn(styles: Any, size: tuple[int, int], said: Mapping[str, Any]) -> Iterator[tuple[Image, dict[str, Any], str]]:
    from generators.avatars.faces import draw_face
    from generators.styles.texts import readable

    for number, style in enumerate(styles, start=1):
        facts = {
            **said,
            "number": number,
            "style": dict(style.values),
            "style_probability": style.probability,
            "style_log_probability": style.log_probability,
        }
        values = ", ".join(f"{name}={value}" for name, value in style.values.items())
        yield draw_face(style.values, size), facts, f"probability {readable(style.probability)}: {values}"
