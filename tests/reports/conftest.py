"""A browser page that keeps what a good page must not do."""

import pytest


@pytest.fixture
def open_page(browser):
    """Return a function that opens a page and collects all that a good page must not do."""
    contexts = []

    def opener(path, width=1440, scheme="light", **options):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda m: page.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: page.complaints.append(str(e)))
        page.on(
            "request",
            lambda r: page.complaints.append(r.url) if not r.url.startswith(("file:", "blob:", "data:")) else None,
        )
        page.goto(path.as_uri())
        if options.get("java_script_enabled", True):
            page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        return page

    yield opener
    for context in contexts:
        context.close()
