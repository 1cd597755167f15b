"""What the tests of the dashboard share: people in front of it, and what axe-core says."""
import json

from chromium import HERE

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 360, "height": 740}, "isMobile": True, "hasTouch": True}
SIZES = {"desktop": DESKTOP, "phone": PHONE}
AXE = HERE / "node_modules/axe-core/axe.min.js"


class Board:
    """The dashboard as one person has it in front of them."""

    def __init__(self, context, deployment, person=None, phone=False):
        self.context = context
        self.deployment = deployment
        self.person = person
        self.phone = phone
        self.page = context.new_page()

    def log_in(self, path="/"):
        """Opens a page by its address, logging in on the way."""
        self.page.goto(self.deployment.url + path)
        self.page.fill("#user", self.person.name)
        self.page.fill("#password", self.person.password)
        self.page.click("button[type=submit]")
        self.page.wait_for_selector("#main h1")
        return self

    def go(self, path):
        self.page.goto(self.deployment.url + path)
        self.page.wait_for_selector("h1")
        return self

    def tab(self):
        """The same person, with another tab of the same browser."""
        return Board(self.context, self.deployment, self.person, self.phone)

    def menu(self, name):
        """Goes to a page by the navigation."""
        if self.phone:
            self.page.click(".menu-button")
        self.page.click(f"nav >> text={name}")

    def wait(self, selector, **options):
        return self.page.wait_for_selector(selector, options)

    def wait_said(self, text):
        """Waits until screen readers are told that. Effects say it, which come after the page."""
        self.wait(f"#announcer:has-text({json.dumps(text)})", state="attached")

    def wait_gone(self, selector):
        return self.page.wait_for_selector(selector, {"state": "detached"})

    def text(self, selector="main"):
        return self.page.inner_text(selector)

    def texts(self, selector):
        """The texts of all that match."""
        return json.loads(self.page.evaluate(
            "JSON.stringify([...document.querySelectorAll('SELECTOR')].map(each => "
            "each.textContent))".replace("SELECTOR", selector)))

    def fits(self):
        """Nothing makes the page wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def accessible(self):
        """What axe-core calls serious or critical, as lines to read; none is expected. From here on
        nothing fades in: what comes while axe looks would be pale, and what goes has no end."""
        if not self.page.evaluate("'axe' in window"):
            self.page.evaluate(AXE.read_text() + "; 0")
        return json.loads(self.page.evaluate("""(async () => {
            const still = new CSSStyleSheet();
            still.replaceSync("*, *::before, *::after { animation: none !important }");
            document.adoptedStyleSheets = [still];
            const result = await axe.run(document, { resultTypes: ["violations"] });
            return JSON.stringify(result.violations
                .filter(each => ["serious", "critical"].includes(each.impact))
                .map(each => `${each.id}: ${each.help}: ` +
                     each.nodes.map(node => node.html).join(" | ")));
        })()"""))
