"""Photograph the top of every page of the gallery for the README: docs/images/NAME.png.

Needs playwright and a Chromium on the path; without them the pictures stay as they are.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

PAGE, PICTURE = (1200, 800), (600, 400)
COLOURS = 256  # of a picture


def main() -> None:
    """Make the pictures."""
    gallery = Path(__file__).resolve().parent
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from PIL import Image
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        sys.stderr.write(f"No new thumbnails: {error}.\n")
        return
    if chromium is None:
        sys.stderr.write("No new thumbnails: there is no Chromium on the path.\n")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        page = browser.new_page(viewport={"width": PAGE[0], "height": PAGE[1]}, color_scheme="light")
        for path in sorted(gallery.glob("*.html")):
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(PICTURE, Image.Resampling.LANCZOS)
            few = picture.quantize(COLOURS, kmeans=3, dither=Image.Dither.NONE)
            few.save(gallery.parent / "docs" / "images" / f"{path.stem}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
