"""Every kind of image file is read by its written rule (docs/reference/images.md), or refused by name."""

import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tuner.data import pixels
from tuner.data.dataset import FilePictures
from tuner.data.pixels import ImageError, examine, read_image

RAMP = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
RAMP16 = RAMP.astype(np.uint16) * 257
STORED = np.random.default_rng(5).integers(0, 256, (16, 24, 3), dtype=np.uint8)
# The EXIF standard's words: where row 0 and column 0 of the stored pixels are on the upright image.
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,  # top, left
    2: lambda a: a[:, ::-1],  # top, right
    3: lambda a: a[::-1, ::-1],  # bottom, right
    4: lambda a: a[::-1],  # bottom, left
    5: lambda a: a.swapaxes(0, 1),  # left, top
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],  # right, top
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],  # right, bottom
    8: lambda a: a.swapaxes(0, 1)[::-1],  # left, bottom
}
FILES: dict[str, dict[str, Any]] = {
    "a.jpg": {"quality": 95},
    "a.png": {},
    "a.webp": {"lossless": True},
    "a.tif": {},
    "lzw.tif": {"compression": "tiff_lzw"},
}


def _save(file: Path, image: Image.Image, **options: Any) -> Path:
    image.save(file, **options)
    return file


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("tag", UPRIGHT)
def test_every_orientation_of_every_format(tmp_path: Path, name: str, tag: int) -> None:
    image, exif = Image.fromarray(STORED), Image.Exif()
    exif[0x0112] = tag
    untagged = np.asarray(read_image(_save(tmp_path / f"plain-{name}", image, **FILES[name])))
    assert np.abs(untagged.astype(int) - STORED).mean() < (60 if name == "a.jpg" else 1e-9)
    file = _save(tmp_path / name, image, exif=exif, **FILES[name])
    seen = read_image(file)
    assert np.array_equal(np.asarray(seen), UPRIGHT[tag](untagged))
    facts = examine(file)
    assert (facts.size, facts.turned) == (seen.size, tag != 1)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("tag", [2, 3, 5, 6, 7, 8])
def test_every_orientation_of_every_mode_of_a_tiff(tmp_path: Path, mode: str, tag: int) -> None:
    """Pillow maps some of these into memory, and then scrambles quarter turns."""
    grey = STORED[..., 0]
    deep = {"I;16": grey.astype(np.uint16) * 257, "I": grey.astype(np.int32) * 257, "F": grey.astype(np.float32) / 255}
    image = Image.fromarray(deep[mode]) if mode in deep else Image.fromarray(STORED).convert(mode)
    plain = np.asarray(read_image(_save(tmp_path / "plain.tif", image)))
    file = _save(tmp_path / "a.tif", image, tiffinfo={274: tag})
    assert np.array_equal(np.asarray(read_image(file)), UPRIGHT[tag](plain))
    assert examine(file).size == read_image(file).size


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0II*\0", b"Exif\0\0MM\0*\xff\xff\xff\xff"])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow also warns of it
def test_broken_exif_says_nothing(tmp_path: Path, name: str, exif: bytes) -> None:
    file = _save(tmp_path / name, Image.fromarray(STORED), exif=exif, **FILES[name])
    assert read_image(file).size == examine(file).size == (24, 16)


def _palette() -> Image.Image:
    image = Image.fromarray(np.array([[0, 1], [2, 1]], dtype=np.uint8)).convert("L")
    indexed = Image.frombytes("P", (2, 2), image.tobytes())
    indexed.putpalette([10, 20, 30, 200, 100, 0, 0, 0, 255])
    return indexed


def _alpha(mode: str) -> Image.Image:
    """Opaque, half and fully transparent pixels; the colour below a transparent one must not show."""
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 0, 51], [200, 100, 0, 0]]], dtype=np.uint8)
    return Image.fromarray(rgba if mode == "RGBA" else np.ascontiguousarray(rgba[..., [0, 3]]), mode=None)


def _big(values: np.ndarray) -> bytes:
    return values.astype(">u2").tobytes()


def _patched(folder: Path, values: np.ndarray, tag: int, was: int, becomes: int) -> Path:
    """A TIFF with one tag's short value changed."""
    file = _save(folder / "a.tif", Image.fromarray(values))
    content = file.read_bytes()
    entry = struct.pack("<HHIH", tag, 3, 1, was)
    assert content.count(entry) == 1
    file.write_bytes(content.replace(entry, struct.pack("<HHIH", tag, 3, 1, becomes)))
    return file


def _twelve_bits(folder: Path) -> Path:
    """Four samples of 12 bits: 0, 2047, 2048 and 4095."""
    file = _patched(folder, np.array([[0x0700, 0xF7, 0xFF80, 0xAAAA]], dtype=np.uint16), 258, 16, 12)
    content = file.read_bytes()
    packed = bytes([0x00, 0x07, 0xFF, 0x80, 0x0F, 0xFF])
    data = struct.pack("<4H", 0x0700, 0xF7, 0xFF80, 0xAAAA)
    assert content.count(data) == 1
    file.write_bytes(content.replace(data, packed + b"\0\0"))
    return file


def _png16(folder: Path, factor: int = 257) -> Path:
    """A PNG of 16 bits per colour, which Pillow reads but does not write."""
    import zlib

    rows = (np.stack([RAMP, RAMP[:, ::-1], RAMP], 2) * np.uint16(factor)).astype(">u2")
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 256, 4, 16, 2, 0, 0, 0)
    file = folder / "a.png"
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return file


OVER_WHITE = [[[200, 100, 0], [244, 224, 204], [255, 255, 255]]]
MODES: dict[str, tuple[Callable[[Path], Path], Any]] = {
    "1 bit": (lambda t: _save(t / "a.png", Image.fromarray(RAMP > 100)), (RAMP > 100) * 255),
    "grey": (lambda t: _save(t / "a.png", Image.fromarray(RAMP)), RAMP),
    "16-bit png": (lambda t: _save(t / "a.png", Image.fromarray(RAMP16)), RAMP),
    "16-bit tiff": (lambda t: _save(t / "a.tif", Image.fromarray(RAMP16)), RAMP),
    "16-bit lzw": (lambda t: _save(t / "a.tif", Image.fromarray(RAMP16), compression="tiff_lzw"), RAMP),
    "16-bit big-endian": (lambda t: _save(t / "a.tif", Image.frombytes("I;16B", (256, 4), _big(RAMP16))), RAMP),
    "16-bit pgm": (lambda t: _save(t / "a.pgm", Image.fromarray(RAMP16)), RAMP),
    "16-bit jp2": (lambda t: _save(t / "a.jp2", Image.fromarray(RAMP16)), RAMP),
    "32-bit int": (lambda t: _save(t / "a.tif", Image.fromarray(RAMP16.astype(np.int32))), RAMP),
    "float": (lambda t: _save(t / "a.tif", Image.fromarray(RAMP.astype(np.float32) / 255)), RAMP),
    "16-bit white is 0": (lambda t: _patched(t, RAMP16, 262, 1, 0), RAMP[:, ::-1]),
    "float white is 0": (lambda t: _patched(t, RAMP.astype(np.float32) / 255, 262, 1, 0), RAMP[:, ::-1]),
    "12-bit tiff": (_twelve_bits, [[0, 127, 128, 255]]),
    "16-bit colour": (_png16, np.stack([RAMP, RAMP[:, ::-1], RAMP], 2)),
    "palette": (
        lambda t: _save(t / "a.png", _palette()),
        [[[10, 20, 30], [200, 100, 0]], [[0, 0, 255], [200, 100, 0]]],
    ),
    "palette, 1 clear": (
        lambda t: _save(t / "a.png", _palette(), transparency=1),
        [[[10, 20, 30], [255, 255, 255]], [[0, 0, 255], [255, 255, 255]]],
    ),
    "gif, 1 clear": (
        lambda t: _save(t / "a.gif", _palette(), transparency=1),
        [[[10, 20, 30], [255, 255, 255]], [[0, 0, 255], [255, 255, 255]]],
    ),
    "grey, 0 clear": (lambda t: _save(t / "a.png", Image.fromarray(RAMP), transparency=0), np.where(RAMP, RAMP, 255)),
    "16-bit, 0 clear": (
        lambda t: _save(t / "a.png", Image.fromarray(RAMP16), transparency=0),
        np.where(RAMP, RAMP, 255),
    ),
    "alpha png": (lambda t: _save(t / "a.png", _alpha("RGBA")), OVER_WHITE),
    "alpha webp": (lambda t: _save(t / "a.webp", _alpha("RGBA"), lossless=True, exact=True), OVER_WHITE),
    "alpha tiff": (lambda t: _save(t / "a.tif", _alpha("RGBA")), OVER_WHITE),
    "grey alpha": (lambda t: _save(t / "a.png", _alpha("LA")), [[200, 244, 255]]),
    "cmyk tiff": (lambda t: _save(t / "a.tif", Image.new("CMYK", (2, 2), (0, 255, 255, 0))), [[[255, 0, 0]] * 2] * 2),
    "cmyk jpeg": (
        lambda t: _save(t / "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=100),
        [[[255, 0, 0]] * 8] * 8,
    ),
    "ycbcr tiff": (
        lambda t: _save(t / "a.tif", Image.new("RGB", (2, 2), "red").convert("YCbCr")),
        [[[254, 0, 0]] * 2] * 2,
    ),
    "lab tiff": (lambda t: _save(t / "a.tif", Image.new("LAB", (2, 2), (255, 128, 128))), [[[255, 255, 255]] * 2] * 2),
    "wrong name": (lambda t: _save(t / "a.jpg", Image.fromarray(RAMP), format="PNG"), RAMP),
}


@pytest.mark.parametrize("kind", MODES)
def test_every_mode_has_its_rule(tmp_path: Path, kind: str) -> None:
    make, expected = MODES[kind]
    file = make(tmp_path)
    values = np.asarray(expected)
    seen = read_image(file)
    assert seen.mode == "RGB"
    assert np.abs(np.asarray(seen).astype(int) - (values[..., None] if values.ndim == 2 else values)).max() <= 1
    assert examine(file).size == seen.size
    assert np.array_equal(np.asarray(FilePictures([file], [None]).image(0)), np.asarray(seen))


@settings(deadline=None)
@given(st.lists(st.integers(0, 65535), min_size=2, max_size=30).filter(lambda v: max(v) >= 256))
def test_sixteen_bits_are_scaled_by_their_range_not_by_the_image(values: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        for suffix in ("png", "tif"):
            file = _save(Path(name) / f"a.{suffix}", Image.fromarray(np.array([values], dtype=np.uint16)))
            assert np.asarray(read_image(file))[0, :, 0].tolist() == [value // 256 for value in values]
            assert examine(file).peak == max(values)


def _floats(*values: float) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=np.float32))


@pytest.mark.parametrize(
    ("name", "image", "said"),
    [
        ("nan.tif", _floats(0.0, float("nan")), "floats that are NaN"),
        ("inf.tif", _floats(0.0, float("inf")), "floats that are NaN or infinite"),
        ("negative.tif", _floats(-0.5, 1.0), "floats from -0.5 to 1"),
        ("percent.tif", _floats(0.0, 100.0), "floats from 0 to 100"),
        ("below.tif", Image.fromarray(np.array([[-3, 9]], dtype=np.int32)), "integers from -3 to 9"),
        ("beyond.tif", Image.fromarray(np.array([[0, 65536]], dtype=np.int32)), "integers from 0 to 65536"),
        ("dark.png", Image.fromarray(np.array([[3, 255]], dtype=np.uint16)), "no value above 255 of 65535"),
        ("dark.tif", Image.fromarray(RAMP.astype(np.int32)), "no value above 255 of 65535"),
    ],
)
def test_values_without_a_meaning_are_refused_by_name(tmp_path: Path, name: str, image: Image.Image, said: str) -> None:
    file = _save(tmp_path / name, image)
    for read in (read_image, examine):
        with pytest.raises(ImageError, match=rf"{name}: {said}") as caught:
            read(file)
        assert "restore" not in caught.value.todo  # there is something better to do


def test_deep_colours_that_would_be_dark_or_black(tmp_path: Path) -> None:
    assert examine(_png16(tmp_path)).peak == 65535
    assert examine(_png16(tmp_path, factor=16)).peak == 4095  # a camera's 12 bits
    file = _png16(tmp_path, factor=1)
    for read in (read_image, examine):
        with pytest.raises(ImageError, match="no value reaches 256 of 65535, so that it would be black"):
            read(file)


def test_sixteen_bit_planes_are_refused(tmp_path: Path) -> None:
    """Three planes of 2 x 1 pixels; Pillow would take the bytes of the first half for pixels."""
    pair = {256: 2, 257: 1, 258: 16, 259: 1, 262: 2, 277: 3, 278: 1, 284: 2}
    tags = {tag: struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in pair.items()}
    tags |= {258: struct.pack("<HHII", 258, 3, 3, 134)}
    tags |= {tag: struct.pack("<HHII", tag, 4, 3, at) for tag, at in ((273, 140), (279, 152))}
    entries = b"".join(tags[tag] for tag in sorted(tags))
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    assert len(head) == 134
    data = struct.pack("<3H3I3I", 16, 16, 16, 164, 168, 172, 4, 4, 4) + struct.pack("<6H", *range(0, 60000, 10000))
    (tmp_path / "a.tif").write_bytes(head + data)
    with pytest.raises(ImageError, match="16-bit colours in separate planes"):
        read_image(tmp_path / "a.tif")


def test_signed_bytes_are_refused(tmp_path: Path) -> None:
    file = _save(tmp_path / "a.tif", Image.fromarray(RAMP), tiffinfo={339: 2})
    with pytest.raises(ImageError, match="signed 8-bit"):
        read_image(file)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_white_on_transparent_is_refused(tmp_path: Path, mode: str) -> None:
    """White ink on a clear page would vanish; an opaque white image is what it is."""
    for name, alpha in (("drawn.png", RAMP), ("clear.png", 0 * RAMP)):
        image = Image.new("RGB" if mode == "RGBA" else "L", (256, 4), "white")
        image.putalpha(Image.fromarray(alpha))
        assert image.mode == mode
        file = _save(tmp_path / name, image)
        for read in (read_image, examine):
            with pytest.raises(ImageError, match=f"{name}: white wherever it is not transparent"):
                read(file)
    assert np.asarray(read_image(_save(tmp_path / "white.png", Image.new(mode, (4, 4), "white")))).min() == 255


def test_a_black_deep_image_is_one(tmp_path: Path) -> None:
    file = _save(tmp_path / "a.png", Image.fromarray(np.zeros((2, 2), dtype=np.uint16)))
    assert not np.asarray(read_image(file)).any()
    assert examine(file).peak == 0


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.tif", "a.png"])
def test_the_first_of_several_frames(tmp_path: Path, name: str) -> None:
    first, second = Image.new("RGB", (9, 7), "red"), Image.new("RGB", (9, 7), "blue")
    file = _save(tmp_path / name, first, save_all=True, append_images=[second])
    assert examine(file).several
    assert np.asarray(read_image(file))[3, 4].tolist() == pytest.approx([255, 0, 0], abs=2)
    assert not examine(_save(tmp_path / f"one-{name}", first)).several


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.gif", "a.webp", "a.tif", "lzw.tif", "a.ppm"])
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow also warns of a cut TIFF
def test_broken_files_are_named_at_any_cut(tmp_path: Path, name: str) -> None:
    file = _save(tmp_path / name, Image.fromarray(np.tile(STORED, (4, 4, 1))), **FILES.get(name, {}))
    whole = file.read_bytes()
    for length in (0, 1, 20, len(whole) // 2, len(whole) - 60):
        file.write_bytes(whole[:length])
        for read in (read_image, examine):
            with pytest.raises(ImageError, match=name):
                read(file)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "program.jpg").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    for name, said in (
        ("page.jpg", "is not a readable image"),
        ("empty.png", "is empty"),
        ("folder.png", "Is a directory"),
        ("gone.png", "No such file"),
        ("program.jpg", "is not a readable image"),  # PostScript is never run
    ):
        with pytest.raises(ImageError, match=rf"{name}: {said}"):
            examine(tmp_path / name)


def test_an_image_beyond_pillows_limit_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for name, options in FILES.items():
        file = _save(tmp_path / name, Image.fromarray(STORED), **options)
        assert read_image(file).size == examine(file).size == (24, 16)
        assert Image.MAX_IMAGE_PIXELS == 100


def test_pillows_limit_comes_back_after_many_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    file = _save(tmp_path / "a.png", Image.fromarray(STORED))
    sizes: list[tuple[int, int]] = []

    def work() -> None:
        sizes.extend(read_image(file).size for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == [(24, 16)] * 160
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("kind", MODES)
def test_a_large_image_is_its_block_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    file = MODES[kind][0](tmp_path)
    whole = read_image(file)
    monkeypatch.setattr(pixels, "LARGE", whole.width * whole.height // 3)
    factor = pixels._factor(whole.size)
    small = read_image(file)
    assert small.size == (-(-whole.width // factor), -(-whole.height // factor))
    assert np.abs(np.asarray(small).astype(int) - np.asarray(whole.reduce(factor))).max() <= 2
    assert examine(file).size == whole.size


def test_a_large_jpeg_lying_on_its_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth = Image.linear_gradient("L").resize((640, 480)).convert("RGB")
    file = _save(tmp_path / "a.jpg", smooth, exif=exif)
    whole = read_image(file)
    monkeypatch.setattr(pixels, "LARGE", 640 * 480 // 20)
    small = read_image(file)
    assert small.width * small.height <= 640 * 480 // 20
    assert small.width < small.height
    again = np.asarray(whole.resize(small.size, Image.Resampling.BOX))
    assert np.abs(np.asarray(small).astype(int) - again).max() <= 4


def test_an_image_beyond_our_limit_says_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "LIMIT", 300)
    file = _save(tmp_path / "slide.png", Image.fromarray(STORED))
    with pytest.raises(ImageError, match=r"slide\.png: 24 x 16 = .* megapixels") as caught:
        examine(file)
    assert "smaller" in caught.value.todo


def test_nothing_else_opens_images() -> None:
    root = Path(__file__).parents[2]
    files = [file for top in ("tuner", "jobs") for file in (root / top).rglob("*.py")]
    assert len(files) > 100
    opening = [str(file.relative_to(root)) for file in files if "Image.open(" in file.read_text(encoding="utf-8")]
    assert opening == ["tuner/data/pixels.py"]
