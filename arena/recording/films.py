"""Write pictures as a film: MP4 (H.264) or GIF, both by PyAV, a picture at a time.

The file appears under its name when it is whole; what was begun is removed where something fails.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av

QUALITY = "18"  # of x264, 0 to 51: lower is better, and 18 is hard to tell from the original
MOST_COLOURS = 255  # of a GIF: 256, less one for pixels that do not change
TRANSPARENT = 0  # the place in the palette of a pixel that does not change


class FilmError(ValueError):
    """A film that cannot be written, with what was expected."""


class Film(ABC):
    """A film that grows by one picture at a time, all of one size.

    Args:
        container: of PyAV, open for writing.
        rate: pictures a second.
    """

    codec: str
    pixels: str

    def __init__(self, container: Any, rate: Fraction) -> None:
        self._container = container
        self._stream = _add_stream(container, self.codec, rate)
        self._stream.pix_fmt = self.pixels
        self._size: tuple[int, int] | None = None

    @abstractmethod
    def _frame(self, picture: NDArray[np.uint8]) -> av.VideoFrame:
        """Convert a picture for the encoder."""

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Add a picture, uint8 [height, width, 3]. Raises FilmError for another size."""
        frame = self._frame(picture)
        size = frame.width, frame.height
        if self._size is None:
            self._size = self._stream.width, self._stream.height = size
        elif self._size != size:
            one, other = (f"{width} x {height}" for width, height in (size, self._size))
            raise FilmError(f"a picture of {one} in a film of {other}: expected one size")
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder has kept back. Raises FilmError for a film without pictures."""
        if self._size is None:
            raise FilmError("a film without pictures cannot be written")
        self._container.mux(self._stream.encode(None))


class _Mp4(Film):
    """H.264 in an MP4 file; sides that are odd get a black edge, which the encoder needs."""

    codec, pixels = "libx264", "yuv420p"  # what browsers and phones play

    def __init__(self, container: Any, rate: Fraction) -> None:
        super().__init__(container, rate)
        self._stream.options = {"crf": QUALITY}

    def _frame(self, picture: NDArray[np.uint8]) -> av.VideoFrame:
        height, width = picture.shape[:2]
        return _video_frame(np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0))), "rgb24")


class _Gif(Film):
    """A GIF whose palette takes the colours as they come; beyond MOST_COLOURS the nearest.

    Pictures of games have few colours, so nearly all are exact.
    """

    codec, pixels = "gif", "pal8"

    def __init__(self, container: Any, rate: Fraction) -> None:
        super().__init__(container, rate)
        self._palette = np.zeros((256, 4), np.uint8)  # alpha, red, green, blue
        self._colours = 0
        self._places = np.zeros(1 << 24, np.uint8)  # of each colour in the palette; 0 is none yet

    def _frame(self, picture: NDArray[np.uint8]) -> av.VideoFrame:
        red, green, blue = (picture[..., i].astype(np.uint32) for i in range(3))
        codes = red << 16 | green << 8 | blue
        places = self._places[codes]
        if (new := places == TRANSPARENT).any():
            for code in np.unique(codes[new]).tolist():
                self._places[code] = self._place_of(code)
            places = self._places[codes]
        return _video_frame((places, self._palette), "pal8")

    def _place_of(self, code: int) -> int:
        """Return the place in the palette for a new colour, a new one while there is room."""
        colour = np.array([code >> 16, code >> 8 & 255, code & 255])
        if self._colours < MOST_COLOURS:
            self._colours += 1
            self._palette[self._colours] = 255, *colour
            return self._colours
        taken = self._palette[1 : self._colours + 1, 1:].astype(np.int64)
        return 1 + int(((taken - colour) ** 2).sum(axis=1).argmin())


_KINDS = {".mp4": _Mp4, ".gif": _Gif}
FORMATS = tuple(_KINDS)
"""The endings of a film's name."""


def check_film_name(path: Path) -> None:
    """Raise FilmError unless a film can be written there by its name."""
    if path.suffix.lower() not in _KINDS:
        raise FilmError(f"{str(path)!r} is no film: expected a name that ends in .mp4 or .gif")
    if not path.parent.is_dir():
        raise FilmError(f"{str(path)!r}: there is no folder {str(path.parent)!r}")


@contextmanager
def open_film(path: Path, pictures_per_second: float) -> Iterator[Film]:
    """Open a film by the ending of its name; it is there when the block has ended.

    Raises FilmError for another ending, a missing folder, or an FFmpeg without the encoder;
    ModuleNotFoundError without PyAV.
    """
    check_film_name(path)
    import av  # only films need it

    suffix = path.suffix.lower()
    begun = path.with_name(f".{path.name}.{os.getpid()}.part")
    rate = Fraction(pictures_per_second).limit_denominator(1000)
    try:
        with av.open(str(begun), "w", format=suffix[1:]) as container:
            film = _KINDS[suffix](container, rate)
            yield film
            film.finish()
        begun.replace(path)
    except av.error.FFmpegError as error:
        raise FilmError(f"{str(path)!r} cannot be written: {error}") from error
    finally:
        with suppress(FileNotFoundError):
            begun.unlink()


def _add_stream(container: Any, codec: str, rate: Fraction) -> Any:
    """Add a video stream; FilmError where the FFmpeg that PyAV brings lacks the encoder."""
    import av

    try:
        return container.add_stream(codec, rate=rate)
    except (av.error.FFmpegError, ValueError) as error:
        raise FilmError(
            f"this FFmpeg ({av.__version__} of PyAV) has no encoder {codec!r}: install PyAV from "
            "its own wheel, `pip install --only-binary av av`"
        ) from error


def _video_frame(pixels: Any, format_name: str) -> av.VideoFrame:
    import av

    return av.VideoFrame.from_ndarray(pixels, format=format_name)
