"""ImageNet weights are had whole or not at all; images arrive as the network needs."""

import http.server
import threading

import keras
import numpy as np
import pytest

from medlib.data import store
from medlib.models import imagenet

NAME = "weights.h5"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDLIB_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(store, "_reachable", {})
    return tmp_path


def serve(answer):
    """Start a server on this machine that answers every request with ``answer``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}/{NAME}"


def body(content, promised=None):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(promised or len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_an_unreachable_host_is_named_in_one_line(cache):
    with pytest.raises(imagenet.WeightsUnavailable, match="cannot be reached") as error:
        imagenet.weights(f"http://127.0.0.1:9/{NAME}")
    assert "\n" not in str(error.value) and NAME in str(error.value)
    assert not files(cache)


@pytest.mark.parametrize(
    "answer", [body(b"half", promised=1000), lambda handler: handler.send_error(404)]
)
def test_a_broken_download_leaves_nothing(cache, answer):
    server, address = serve(answer)
    with pytest.raises(imagenet.WeightsUnavailable, match="could not be downloaded"):
        imagenet.weights(address)
    server.shutdown()
    assert not files(cache)


def test_a_page_in_place_of_the_weights_is_refused_and_deleted(cache):
    server, address = serve(body(b"<html>please log in</html>"))
    with pytest.raises(imagenet.WeightsUnavailable, match="does not hold MobileNetV2"):
        imagenet.backbone(address)
    server.shutdown()
    assert not files(cache)


def test_weights_are_loaded_and_kept(cache, tmp_path):
    shape = (imagenet.SIDE, imagenet.SIDE, 3)
    how = {"include_top": False, "pooling": "avg", "weights": None}
    original = keras.applications.MobileNetV2(shape, **how)
    original.save_weights(tmp_path / "original.weights.h5")
    content = (tmp_path / "original.weights.h5").read_bytes()
    name = "another.weights.h5"
    server, address = serve(body(content))
    network = imagenet.backbone(address.replace(NAME, name))
    server.shutdown()
    images = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)
    found = imagenet.features(network, images, batch_size=2)
    assert found.shape == (3, 1280)
    expected = original.predict(imagenet.prepare(images), verbose=0)
    assert np.allclose(found, expected, atol=1e-4)
    assert imagenet.weights(address.replace(NAME, name)).read_bytes() == content


def test_images_are_enlarged_coloured_and_scaled():
    images = np.zeros((2, 28, 28, 1), np.uint8)
    images[1] = 255
    prepared = imagenet.prepare(images)
    assert prepared.shape == (2, 96, 96, 3) and prepared.dtype == np.float32
    assert np.allclose(prepared[0], -1) and np.allclose(prepared[1], 1)
    coloured = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3), np.uint8)
    # Twice the side: every output lies half-way between inputs, at 1/4 and 3/4.
    rows = imagenet.prepare(coloured)[0]
    first = coloured[0, :2, :2].astype(float)
    weights = np.array([0.75, 0.25])
    by_hand = np.einsum("i,j,ijc->c", weights, weights, first) / 127.5 - 1
    assert np.allclose(rows[1, 1], by_hand, atol=1e-5)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 28, 28), np.uint8),
        np.zeros((2, 28, 28, 1)),
        np.zeros((2, 28, 28, 2), np.uint8),
    ],
)
def test_odd_images_are_refused(images):
    with pytest.raises(ValueError, match="images is"):
        imagenet.prepare(images)
