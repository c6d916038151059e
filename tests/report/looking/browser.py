"""Headless Chromium, and what must hold of every page in it."""

from playwright.sync_api import sync_playwright

WIDTHS = (360, 768, 1280)
SERIOUS = ("serious", "critical")

# Labels of figures that stand over the edge of the window, or over each other.
CROWDED = """() => {
  const found = [];
  for (const panel of document.querySelectorAll('svg.panel')) {
    const boxes = [...panel.querySelectorAll('text')]
      .map(text => ({told: text.textContent, box: text.getBoundingClientRect()}))
      .filter(({box}) => box.width > 0);
    for (const {told, box} of boxes)
      if (box.left < -0.5 || box.right > innerWidth + 0.5) found.push(`over the edge: ${told}`);
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
      const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (across > 1 && down > 4) found.push(`over each other: ${a.told} and ${b.told}`);
    }));
  }
  return found;
}"""
HIDDEN = """() => [...document.querySelectorAll('details table')].filter(t => !t.checkVisibility({contentVisibilityAuto: true})).length"""
FOREIGN = "() => document.querySelectorAll('script, img, iframe, object, embed, link, form, base, [style], [onerror]').length"

# What each check must say of a page that is spoilt so.
SPOILT = [
    ("pixels wider", "<main", "<hr class=rule><style>hr{width:500px}</style><main"),
    ("color-contrast", "--soft: #545d68", "--soft: #b4bdc8"),
    ("a table stays closed", "content-visibility: visible", "content-visibility: hidden"),
    ("paper is", "@media screen and (prefers-color-scheme: dark)", "@media (prefers-color-scheme: dark)"),
    ("does not write", "<h2", "<img alt='' src=x.png><h2"),
    ("Content Security Policy", "* { box-sizing", "@font-face{font-family:x;src:url(x.woff)}main{font-family:x}* { box-sizing"),
    ("over each other", ".panel text {", ".panel text { font-size: 30px !important; } .none {"),
    ("title is", "<title>Migration", "<title>owned"),
    ("skip link", "class=\"skip\"", "class=\"other\""),
    ("does not show it", ":focus-visible { outline: 3px", ":focus-visible { outline: none; } .none { outline: 3px"),
]


class Broken(Exception):
    """What does not hold of a page."""


class Browser:
    """A browser that loads the page and nothing else."""

    def __init__(self, program, axe):
        self.playwright = sync_playwright().start()
        # As root Chromium has no sandbox; the page has no script and may load nothing.
        self.browser = self.playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        self.axe = axe

    def close(self):
        self.browser.close()
        self.playwright.stop()

    def looked_at(self, page_file, name, folder, schemes=("light", "dark"), widths=WIDTHS):
        """Opens the page at every width, light and dark, and takes a picture of each."""
        for scheme in schemes:
            for width in widths:
                place = f"{name}-{scheme}-{width}"
                context = self.browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
                try:
                    page, troubles = opened(context, page_file)
                    holds(page, place, troubles, self.axe)
                    page.screenshot(path=folder / f"{place}.png", full_page=True)
                    if scheme == "light" and width == WIDTHS[0]:
                        by_keyboard(page, place)
                finally:
                    context.close()

    def printed(self, page_file, name, folder):
        """Prints the page, with its tables open."""
        context = self.browser.new_context(viewport={"width": 1024, "height": 1400}, color_scheme="dark")
        try:
            page, troubles = opened(context, page_file)
            page.emulate_media(media="print")
            page.wait_for_timeout(200)
            demand(name, page.evaluate(HIDDEN) == 0, "a table stays closed on paper")
            paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
            demand(name, paper == "rgb(255, 255, 255)", f"paper is {paper}")
            page.pdf(path=folder / f"{name}.pdf", format="A4", print_background=True)
            demand(name, not troubles, str(troubles))
        finally:
            context.close()

    def refuses_spoilt(self, page_file, folder):
        """Whether each check finds what it is there for, in copies of a good page that are spoilt one way each."""
        text, spoilt = page_file.read_text(), folder / "spoilt.html"
        for expected, old, new in SPOILT:
            if old not in text:
                raise Broken(f"there is no {old} to spoil")
            spoilt.write_text(text.replace(old, new))
            try:
                self.looked_at(spoilt, "spoilt", folder, ("light",), (360,))
                self.printed(spoilt, "spoilt", folder)
            except Broken as problem:
                if expected not in str(problem):
                    raise Broken(f"spoilt by {new}, it says {problem} and not {expected}") from problem
                continue
            raise Broken(f"spoilt by {new}, it was found good")

    def part(self, page_file, out, width, height, scheme, at=None):
        """A picture of what stands at the top, or at an element."""
        context = self.browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        try:
            page, _ = opened(context, page_file)
            top = page.evaluate("at => at ? document.querySelector(at).getBoundingClientRect().top - 12 : 0", at)
            page.screenshot(path=out, full_page=True, clip={"x": 0, "y": top, "width": width, "height": height})
        finally:
            context.close()


def opened(context, page_file):
    page, troubles = context.new_page(), []
    own = page_file.as_uri()
    page.on("request", lambda request: request.url != own and troubles.append(f"a request for {request.url}"))
    page.on("console", lambda message: message.type in ("error", "warning") and troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(own)
    return page, troubles


def holds(page, place, troubles, axe):
    demand(place, page.title().startswith("Migration exposure"), f"the title is {page.title()!r}")
    demand(place, page.evaluate(FOREIGN) == 0, "there is an element that this project does not write")
    wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    demand(place, wide <= 0, f"it is {wide} pixels wider than the window")
    crowded = page.evaluate(CROWDED)
    demand(place, not crowded, "; ".join(crowded[:5]))
    page.evaluate("() => document.querySelectorAll('details').forEach(details => details.open = true)")
    wide = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    demand(place, wide <= 0, f"with its tables open it is {wide} pixels wider than the window")
    page.evaluate(axe)
    violations = page.evaluate("() => axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
    told = [f"{found['id']} ({found['impact']}, {len(found['nodes'])}): {found['nodes'][0]['html'][:120]}" for found in violations]
    demand(place, not [1 for found in violations if found["impact"] in SERIOUS], "; ".join(told))
    if told:
        print(f"look: {place}: axe remarks {told}")
    page.evaluate("() => document.querySelectorAll('details').forEach(details => details.open = false)")
    demand(place, not troubles, "; ".join(troubles))


def by_keyboard(page, place):
    """The first stop skips the contents, and a table opens without a pointer."""
    page.keyboard.press("Tab")
    demand(place, page.evaluate("() => document.activeElement.className") == "skip", "the first stop is not the skip link")
    page.keyboard.press("Enter")
    demand(place, page.evaluate("() => document.activeElement.id") == "main", "the skip link leads nowhere")
    summary = page.locator("details > summary").first
    summary.focus()
    page.keyboard.press("Enter")
    demand(place, page.evaluate("() => document.querySelector('details').open"), "a table does not open by keyboard")
    outline = summary.evaluate("element => getComputedStyle(element).outlineStyle")
    demand(place, outline != "none", "what has the focus does not show it")


def demand(place, holds, otherwise):
    if not holds:
        raise Broken(f"{place}: {otherwise}")
