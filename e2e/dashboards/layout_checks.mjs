// What is checked on a rendered page. These functions run in the browser.

// observeCanvas makes each canvas remember the texts that are drawn on it, because the
// axes of graphs are not part of the document.
export function observeCanvas() {
  const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
  Object.assign(CanvasRenderingContext2D.prototype, {
    fillText(text, ...rest) {
      (this.canvas.texts ??= []).push({ text: String(text), align: this.textAlign });
      return fillText.call(this, text, ...rest);
    },
    clearRect(...rest) {
      this.canvas.texts = [];
      return clearRect.apply(this, rest);
    },
  });
}

// problemsOfLayout lists the texts that are cut, the tables that do not fit, and the
// axes whose ticks have the same label.
export function problemsOfLayout(width) {
  const problems = [];
  for (const panel of document.querySelectorAll('[data-panel]')) {
    const report = (problem) => problems.push(`${panel.dataset.panel}: ${problem}`);
    for (const element of panel.querySelectorAll('*')) {
      const ownText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim());
      if (!ownText || element.closest('svg, style')) continue;
      if (width < 1280 && element.closest('[role="gridcell"]')) continue; // tables scroll on a phone
      // Grafana gives all bars the room that the name with the most characters needs,
      // which need not be the widest, and less on a phone.
      if (panel.dataset.type === 'bargauge') continue;
      for (let box = element; box !== panel; box = box.parentElement) {
        const style = getComputedStyle(box);
        if (['auto', 'scroll'].includes(style.overflowX)) break;
        if (style.overflowX === 'visible') continue;
        if (box.scrollWidth > box.clientWidth + 1) report(`"${element.textContent}" is cut`);
        break;
      }
    }
    const grid = panel.querySelector('[role="grid"]');
    if (grid && width >= 1280 && grid.scrollWidth > grid.clientWidth + 1) report(`the table is ${grid.scrollWidth} pixels wide in ${grid.clientWidth}`);
    const text = panel.querySelector('.markdown-html');
    if (text && width >= 1280 && text.getBoundingClientRect().bottom > panel.getBoundingClientRect().bottom + 1) report('the text is higher than its panel');
    for (const canvas of panel.querySelectorAll('canvas')) {
      const ticks = (canvas.texts ?? []).filter(({ align }) => align === 'right').map(({ text: tick }) => tick);
      if (new Set(ticks).size !== ticks.length) report(`the axis has equal ticks: ${ticks.join(', ')}`);
    }
  }
  return [...new Set(problems)];
}
