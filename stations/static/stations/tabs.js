// Tabs out of the sections of a page. Without JavaScript the sections stand one below the other, each with its heading.

/** Make tabs of the children with data-tab in `root`. `onTab(name)` hears of each tab that the reader opens. */
export class Tabs {
  constructor(root, { onTab = () => {} } = {}) {
    this.onTab = onTab;
    this.panels = new Map([...root.querySelectorAll(":scope > [data-tab]")].map((panel) => [panel.dataset.tab, panel]));
    this.list = document.createElement("div");
    this.list.className = "tabs tabs--buttons";
    this.list.setAttribute("role", "tablist");
    this.list.setAttribute("aria-label", root.dataset.tabsLabel);
    this.tabs = new Map([...this.panels].map(([name, panel]) => [name, this.tab(name, panel)]));
    this.list.append(...this.tabs.values());
    root.prepend(this.list);
    root.classList.add("tabbed");
    this.list.addEventListener("keydown", (event) => this.move(event));
    this.show(this.panels.keys().next().value);
  }

  tab(name, panel) {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `tab-${name}`;
    tab.textContent = panel.dataset.tabLabel;
    tab.setAttribute("role", "tab");
    panel.id ||= `panel-${name}`;
    tab.setAttribute("aria-controls", panel.id);
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => this.open(name));
    return tab;
  }

  open(name) {
    this.show(name);
    this.onTab(name);
  }

  /** Show a tab; an unknown name changes nothing. */
  show(name) {
    if (!this.panels.has(name)) return;
    this.shown = name;
    for (const [other, panel] of this.panels) {
      const chosen = other === name;
      panel.hidden = !chosen;
      this.tabs.get(other).setAttribute("aria-selected", String(chosen));
      this.tabs.get(other).tabIndex = chosen ? 0 : -1;
    }
  }

  move(event) {
    const names = [...this.tabs.keys()];
    const at = names.indexOf(this.shown);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const name = names[(to + names.length) % names.length];
    this.open(name);
    this.tabs.get(name).focus();
  }
}
