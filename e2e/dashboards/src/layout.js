// Where panels go: rows repeat for each value of their variable, with the panels below
// them, and on a phone all panels are below one another.

const cell = { height: 30, gap: 8 };
const padding = 16;

// place returns every panel to draw, with the variables of its row and its grid
// position after the rows above it have been repeated.
export function place(dashboard, variables) {
  const placed = [];
  let moved = 0;
  for (const { row, panels } of sections(dashboard.panels)) {
    const options = row?.repeat ? variables.values(row.repeat) : [null];
    const values = options.length > 0 ? options : ['']; // as Grafana does
    const top = Math.min(...(row ? [row] : panels).map(({ gridPos }) => gridPos.y));
    const bottom = Math.max(top, ...[row, ...panels].filter(Boolean).map(({ gridPos }) => gridPos.y + gridPos.h));
    values.forEach((value, i) => {
      const scoped = value === null ? {} : { [row.repeat]: value };
      for (const panel of row ? [row, ...panels] : panels) {
        const { x, y, w, h } = panel.gridPos;
        placed.push({ key: `${panel.id}-${i}`, panel, scoped, grid: { x, y: y + moved, w, h } });
      }
      if (i < values.length - 1) moved += bottom - top;
    });
  }
  return placed;
}

function sections(panels) {
  const ordered = panels.toSorted((a, b) => a.gridPos.y - b.gridPos.y || a.gridPos.x - b.gridPos.x);
  const found = [{ row: null, panels: [] }];
  for (const panel of ordered) {
    if (panel.type === 'row') found.push({ row: panel, panels: [] });
    else found.at(-1).panels.push(panel);
  }
  return found.filter(({ row, panels: below }) => row || below.length > 0);
}

// box returns the position and size of a panel in pixels.
export function box({ x, y, w, h }, pageWidth) {
  const height = h * cell.height + (h - 1) * cell.gap;
  if (isPhone(pageWidth)) return { width: pageWidth - 2 * padding, height, marginBottom: cell.gap };
  const column = (pageWidth - 2 * padding + cell.gap) / 24;
  return { position: 'absolute', left: x * column, top: y * (cell.height + cell.gap), width: w * column - cell.gap, height };
}

export function pageHeight(placed) {
  return Math.max(...placed.map(({ grid }) => grid.y + grid.h)) * (cell.height + cell.gap);
}

export const isPhone = (pageWidth) => pageWidth < 769;
