"""Transforms of images: pure functions of keys, against NumPy, SciPy, Pillow and colorsys."""

import colorsys

import numpy as np
import pytest
import scipy.ndimage

import fx
import fx.numpy as fnp
from fx.data import transforms as t

KEYS = fx.random.split(fx.random.key(0), 200)
IMAGE = np.random.default_rng(0).random((6, 7, 3))
ALL = [
    t.Normalize([0.1, 0.2, 0.3], [1.0, 2.0, 3.0]), t.Resize((4, 5)), t.CenterCrop(4), t.RandomCrop(5, padding=1),
    t.HorizontalFlip(), t.VerticalFlip(), t.RandomRotation(30.0), t.ColorJitter(0.4, 0.4, 0.4, 0.2), t.Cutout(3),
]  # fmt: skip


@pytest.mark.parametrize("transform", ALL, ids=lambda f: type(f).__name__)
def test_pure_mapped_and_compiled(transform):
    y = transform(KEYS[0], IMAGE)
    assert np.array_equal(y, transform(KEYS[0], IMAGE)) and np.isfinite(np.asarray(y)).all()
    batch = fx.vmap(transform)(KEYS[:3], np.stack([IMAGE] * 3))
    np.testing.assert_allclose(batch[0], y, atol=1e-6)
    np.testing.assert_allclose(fx.jit(transform)(KEYS[0], IMAGE), y, atol=1e-6)
    integers = (IMAGE * 255).astype(np.uint8)
    floats = (integers / 255).astype(np.float32)
    np.testing.assert_allclose(transform(KEYS[0], integers), transform(KEYS[0], floats), atol=1e-5)
    with pytest.raises(fx.ShapeError, match=r"fx\.vmap"):
        transform(KEYS[0], np.ones((2, 6, 7, 3)))


def test_exact_ones():
    np.testing.assert_allclose(ALL[0](None, IMAGE), (IMAGE - [0.1, 0.2, 0.3]) / [1, 2, 3], rtol=1e-6)
    assert np.array_equal(t.CenterCrop((4, 3))(None, IMAGE), IMAGE[1:5, 2:5])
    flips = [np.array_equal(t.HorizontalFlip(0.3)(k, IMAGE), IMAGE[:, ::-1]) for k in KEYS]
    same = [np.array_equal(t.HorizontalFlip(0.3)(k, IMAGE), IMAGE) for k in KEYS]
    assert all(a != b for a, b in zip(flips, same)) and 0.2 < np.mean(flips) < 0.4
    assert np.array_equal(t.VerticalFlip(1.0)(KEYS[0], IMAGE), IMAGE[::-1])
    with pytest.raises(fx.ShapeError, match=r"\(6, 7, 3\), less than \(9, 9\)"):
        t.CenterCrop(9)(None, IMAGE)


def test_crops_are_windows_and_all_occur():
    padded = np.pad(IMAGE, ((1, 1), (1, 1), (0, 0)))
    windows = {padded[i : i + 5, j : j + 5].tobytes(): (i, j) for i in range(4) for j in range(5)}
    found = [windows[np.asarray(t.RandomCrop(5, padding=1)(k, IMAGE)).tobytes()] for k in KEYS]
    assert set(found) == set(windows.values())


def test_cutout_is_a_square():
    sizes = set()
    for key in KEYS[:50]:
        hole = np.asarray(t.Cutout(3, fill=-1.0)(key, IMAGE))[..., 0] == -1
        rows, columns = hole.any(1), hole.any(0)
        assert np.array_equal(hole, rows[:, None] & columns) and rows.sum() <= 3 and columns.sum() <= 3
        sizes.add((rows.sum(), columns.sum()))
    assert (3, 3) in sizes


def test_rotation():
    assert np.allclose(t.rotate(IMAGE[:, :6], 90.0), np.rot90(IMAGE[:, :6]), atol=1e-6)
    for angle in (17.0, -45.0):
        expected = scipy.ndimage.rotate(IMAGE, angle, reshape=False, order=1, mode="constant")
        np.testing.assert_allclose(t.rotate(IMAGE, angle), expected, atol=1e-6)


def test_colors():
    def brightness(key):
        y = np.asarray(t.ColorJitter(brightness=0.5)(key, IMAGE * 0.5))
        return y / (IMAGE * 0.5)

    factors = [brightness(k) for k in KEYS[:50]]
    assert (
        all(np.ptp(f) < 1e-4 for f in factors)
        and 0.5 <= np.min(factors) < 0.65 < 1.35 < np.max(factors) <= 1.5 + 1e-6
    )
    shifted = np.asarray(t.shift_hue(IMAGE, 0.3))
    for i, j in np.ndindex(IMAGE.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*IMAGE[i, j])
        np.testing.assert_allclose(shifted[i, j], colorsys.hsv_to_rgb((h + 0.3) % 1, s, v), atol=1e-6)
    grey = np.ones((2, 2, 3)) * 0.5
    np.testing.assert_allclose(t.ColorJitter(saturation=1.0, hue=0.5)(KEYS[0], grey), grey, atol=1e-6)
    with pytest.raises(fx.ArgumentError, match=r"0\.5"):
        t.ColorJitter(hue=0.6)
    with pytest.raises(fx.ShapeError, match="three channels"):
        t.ColorJitter(hue=0.1)(KEYS[0], IMAGE[..., :1])


def test_mixup():
    x, y = np.random.default_rng(1).normal(size=(8, 3)), np.eye(8)
    mx, my = t.mixup(KEYS[0], x, y)
    np.testing.assert_allclose(mx, np.asarray(my) @ x, atol=1e-5)
    np.testing.assert_allclose(np.asarray(my).sum(1), 1, rtol=1e-6)
    assert len(set(np.round(np.asarray(my).max(1), 5))) <= 2
    with pytest.raises(fx.ShapeError, match="one_hot"):
        t.mixup(KEYS[0], x, np.arange(8))


def test_compose():
    both = t.Compose([t.RandomCrop(5), t.HorizontalFlip(), t.Normalize(0.5, 0.5)])
    results = {np.asarray(both(k, IMAGE)).tobytes() for k in KEYS[:60]}
    assert len(results) == 2 * 3 * 2
    assert both == t.Compose((t.RandomCrop(5), t.HorizontalFlip(), t.Normalize(0.5, 0.5))) and hash(both)
    assert fnp.asarray(both(KEYS[0], IMAGE)).shape == (5, 5, 3)
