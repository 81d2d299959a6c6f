// Draws a dashboard: the bar of variables and every panel in its place.
import React, { useEffect, useState } from 'react';
import { EventBusSrv, ThemeContext } from '@grafana/data';
import * as ui from '@grafana/ui';
import { box, isPhone, pageHeight } from './layout.js';
import { Contents } from './panels.jsx';

export function Page({ dashboard, variables, theme, placed, range }) {
  const [width, setWidth] = useState(innerWidth);
  useEffect(() => {
    const resized = () => setWidth(innerWidth);
    addEventListener('resize', resized);
    return () => removeEventListener('resize', resized);
  }, []);
  const style = {
    padding: 16, minHeight: '100vh', boxSizing: 'border-box', fontFamily: theme.typography.fontFamily, fontSize: 14,
    background: theme.colors.background.canvas, color: theme.colors.text.primary,
  };
  return <ThemeContext.Provider value={theme}>
    <ui.GlobalStyles />
    <ui.PanelContextProvider value={{ eventsScope: 'page', eventBus: new EventBusSrv() }}>
      <div style={style}>
        <Controls dashboard={dashboard} variables={variables} theme={theme} />
        <div style={{ position: 'relative', height: isPhone(width) ? 'auto' : pageHeight(placed) }}>
          {placed.map((one) => <Panel key={`${one.key} ${width}`} range={range} {...one} place={box(one.grid, width)} theme={theme} />)}
        </div>
      </div>
    </ui.PanelContextProvider>
  </ThemeContext.Provider>;
}

function Controls({ dashboard, variables, theme }) {
  const border = `1px solid ${theme.colors.border.medium}`;
  return <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, marginBottom: 16, alignItems: 'center' }}>
    <h1 style={{ fontSize: 16, margin: 0, marginRight: 8 }}>{dashboard.title}</h1>
    {dashboard.templating.list.filter(({ hide }) => hide !== 2).map(({ name, label }) => <span key={name} style={{ display: 'flex', border, borderRadius: 2, fontSize: 12 }}>
      <span style={{ background: theme.colors.background.secondary, padding: '6px 8px', fontWeight: 500 }}>{label ?? name}</span>
      <span style={{ padding: '6px 8px' }}>{variables.text(name)}</span>
    </span>)}
    {dashboard.annotations.list.filter(({ builtIn }) => !builtIn).map(({ name, enable }) => <span key={name} style={{ fontSize: 12 }}>{enable ? '☑' : '☐'} {name}</span>)}
  </div>;
}

function Panel({ panel, title, frames, failed, place, ...rest }) {
  if (panel.type === 'row') return <div style={{ ...place, height: 30, fontWeight: 500, fontSize: 16, paddingTop: 6 }} data-row>⌄ {title}</div>;
  const hints = <>
    {panel.links?.length > 0 && <ui.IconButton name="external-link-alt" aria-label={panel.links[0].title} />}
    {failed && <ui.IconButton name="exclamation-triangle" aria-label={failed} />}
  </>;
  return <div style={place} data-panel={title || `panel ${panel.id}`} data-type={panel.type}>
    <ui.PanelChrome width={place.width} height={place.height} title={title} hoverHeader={!title} description={panel.description} titleItems={hints}
      padding={panel.type === 'table' ? 'none' : undefined} displayMode={panel.transparent ? 'transparent' : 'default'}>
      {(width, height) => <Contents panel={panel} frames={frames} width={width} height={height} {...rest} />}
    </ui.PanelChrome>
  </div>;
}
