"""Checks of a page in a browser. Each returns what is wrong, in words."""

from __future__ import annotations

import functools
import gzip
import re
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlparse

import axe_playwright_python
from bs4 import BeautifulSoup

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
FIGURES = (".png", ".jpg", ".jpeg", ".svg", ".gif", ".webp")
FILE_NAME = re.compile(r"^\s*$|^\S+\.(png|jpe?g|svg|gif|webp)$|^[0-9a-f]{16,}$")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def served(folder):
    """Serve a folder on this machine; yield its address, with a closing slash."""
    handler = functools.partial(_Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Visitor:
    """A browser tab with the network cut: only ``base`` can be reached."""

    def __init__(self, browser, base):
        self.base = base
        self.context = browser.new_context(viewport=DESKTOP)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.problems: list[str] = []
        self.context.route("**/*", self._decide)
        self.page.on("pageerror", lambda e: self.problems.append(f"error: {e}"))
        self.page.on("console", self._console)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)

    def _inside(self, url):
        return url.startswith((self.base, "data:", "blob:", "about:"))

    def _decide(self, route):
        if self._inside(route.request.url):
            self.asked.append(route.request.url)
            route.continue_()
        else:
            self.problems.append(f"outside request: {route.request.url}")
            route.abort()

    def _console(self, message):
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _failed(self, request):
        if self._inside(request.url):
            self.problems.append(f"missing: {request.url}")

    def _response(self, response):
        if response.status >= 400:
            self.problems.append(f"missing: {response.status} {response.url}")

    def open(self, path, until="networkidle"):
        """Open a page and wait until it is quiet and typeset."""
        self.asked.clear()
        self.problems.clear()
        self.page.goto(self.base + path, wait_until=until)
        self.page.evaluate("window.MathJax?.startup?.promise")
        return self

    def close(self):
        self.context.close()


def formulas(page):
    """Every formula is typeset, none with an error, and no raw TeX is left."""
    found = page.evaluate(
        r"""() => {
          const raw = [];
          const root = document.querySelector("main") ?? document.body;
          const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
          for (let node; (node = walker.nextNode()); ) {
            const parent = node.parentElement;
            if (parent.closest("pre, code, script, style, mjx-container")) continue;
            if (/\\[([]|\$\$|\\begin\{|\\frac|\\sum/.test(node.data))
              raw.push(node.data.trim().slice(0, 60));
          }
          const formulas = [...document.querySelectorAll("main .math")];
          return {
            raw,
            open: formulas.filter(f => !f.querySelector("mjx-container")).length,
            formulas: formulas.length,
            typeset: document.querySelectorAll("mjx-container").length,
            errors: [...document.querySelectorAll("mjx-merror, [data-mjx-error]")]
              .map(e => e.getAttribute("data-mjx-error") ?? e.textContent),
          };
        }"""
    )
    problems = [f"raw TeX: {text}" for text in found["raw"]]
    problems += [f"formula in error: {text}" for text in found["errors"]]
    if found["open"] or found["typeset"] < found["formulas"]:
        problems.append(
            f"{found['formulas']} formulas, {found['typeset']} typeset, "
            f"{found['open']} left open"
        )
    return problems


def pictures(page):
    """Every picture says what it shows, and not with its file's name."""
    found = page.evaluate(
        """() => [...document.querySelectorAll("img, svg[role=img], object, canvas")]
          .filter(e => !e.closest("[aria-hidden=true]"))
          .map(e => [e.getAttribute("src") ?? e.tagName,
                     e.getAttribute("alt") ?? e.getAttribute("aria-label") ??
                     e.querySelector("title")?.textContent ?? ""])"""
    )
    return [
        f"no alternative text: {source} ('{text}')"
        for source, text in found
        if FILE_NAME.match(text)
    ]


def sideways(page):
    """The page does not scroll sideways."""
    wide = page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= width) return [];
          // What lies in a box that scrolls or cuts off widens no page.
          const contained = e => {
            for (let box = e.parentElement; box; box = box.parentElement)
              if (box !== document.documentElement && box !== document.body &&
                  getComputedStyle(box).overflowX !== "visible") return true;
            return false;
          };
          return [`${document.documentElement.scrollWidth} px`].concat(
            [...document.querySelectorAll("main *")]
              .filter(e => e.getBoundingClientRect().right > width + 1)
              .filter(e => !contained(e))
              .slice(0, 3).map(e => e.outerHTML.slice(0, 80)));
        }"""
    )
    return [f"scrolls sideways: {' … '.join(wide)}"] if wide else []


def menu(page):
    """The phone menu opens, shows its links and closes."""
    button = page.locator("button.primary-toggle")
    if button.count() == 0:
        return ["there is no menu button"]
    button.first.click()
    link = page.locator("#pst-primary-sidebar-modal nav a:visible").first
    try:
        link.wait_for(state="visible", timeout=2000)
    except Exception:
        return ["the menu does not open"]
    page.keyboard.press("Escape")
    try:
        link.wait_for(state="hidden", timeout=2000)
    except Exception:
        return ["the menu does not close"]
    return []


def shorten_code(page):
    """Keep one coloured word of each kind in code and take the others' colour away.

    A lesson has up to ten thousand of them in a dozen colours; Axe looks at each one.
    """
    page.evaluate(
        """() => {
          const seen = new Set();
          for (const word of document.querySelectorAll(".highlight pre span[class]")) {
            const kind = [word, word.closest(".highlight").parentElement,
                          word.closest(".cell_input, .cell_output")]
              .map(e => e?.className).join();
            if (seen.has(kind)) word.replaceWith(...word.childNodes);
            seen.add(kind);
          }
        }"""
    )


def accessibility(page, rules=None):
    """Axe finds nothing serious or critical, by all rules or by some."""
    if not page.evaluate("typeof axe !== 'undefined'"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    # Colours that are still changing from light to dark are nobody's colours.
    page.evaluate("Promise.all(document.getAnimations().map(a => a.finished))")
    # Without preload, axe asks for no style sheet a second time.
    options = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = rules
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"axe {rule['impact']} {rule['id']}: "
        + " … ".join(node["html"][:120] for node in rule["nodes"][:3])
        + f" ({len(rule['nodes'])})"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]


def weight(asked, base, folder):
    """Return the gzipped bytes of a page: (its own, its figures)."""
    own = figures = 0
    for url in set(asked):
        path = Path(folder) / unquote(urlparse(url).path.removeprefix("/"))
        if not url.startswith(base) or not path.is_file():
            continue
        size = len(gzip.compress(path.read_bytes()))
        if path.suffix in FIGURES and "_images" in path.parts:
            figures += size
        else:
            own += size
    return own, figures


class Links:
    """Internal links of a folder of HTML pages."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self._read: dict[Path, tuple[set[str], list[str]]] = {}

    def read(self, path):
        """Return the anchors that a page offers, and where it leads."""
        if path not in self._read:
            soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            names = {tag["id"] for tag in soup.find_all(id=True)}
            names |= {tag["name"] for tag in soup.find_all("a", attrs={"name": True})}
            tags = soup.find_all(("a", "link", "img", "script", "source"))
            targets = [tag.get("href") or tag.get("src") for tag in tags]
            self._read[path] = names, [target for target in targets if target]
        return self._read[path]

    def broken(self, path):
        """Return the internal links of a page that lead nowhere."""
        path = Path(path).resolve()
        problems = []
        for target in self.read(path)[1]:
            if urlparse(target).scheme or target.startswith("//"):
                continue
            where, anchor = urldefrag(urljoin(path.as_uri(), target))
            file = Path(unquote(urlparse(where).path))
            if not file.is_file():
                problems.append(f"broken link: {target}")
            elif (
                anchor
                and file.suffix == ".html"
                and unquote(anchor) not in self.read(file)[0]
            ):
                problems.append(f"broken anchor: {target}")
        return problems
