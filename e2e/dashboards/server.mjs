// Serves the renderer, the dashboards and Grafana's fonts and icons on a free port.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { basename, extname, join, normalize } from 'node:path';

const here = import.meta.dirname;
const types = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' };
const page = `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>dashboard</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/bundle/main.css"><style>body { margin: 0 }</style><main></main>
<script>window.__grafana_public_path__ = '/public/'; window.grafanaBootData = { settings: { featureToggles: {} }, user: {} };</script>
<script src="/bundle/main.js"></script></html>`;

function fileOf(path, bundle) {
  const [, folder, ...rest] = normalize(path).split('/');
  switch (folder) {
    case 'bundle': return join(bundle, basename(path));
    case 'dashboards': return join(here, '../../grafana/dashboards', basename(path));
    case 'public':
      if (rest[0] === 'fonts') return join(here, `node_modules/@fontsource/inter/files/inter-latin-${path.includes('Medium') ? 500 : 400}-normal.woff2`);
      if (rest[0] === 'build') return join(here, 'node_modules/@grafana/ui/dist/public', ...rest.slice(1));
      return join(here, 'node_modules/@grafana/ui/dist/public', ...rest);
  }
  return null;
}

// startServer serves the bundle in a folder and returns its address.
export async function startServer(bundle) {
  const server = createServer(async (request, answer) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    if (pathname === '/') return answer.writeHead(200, { 'Content-Type': 'text/html' }).end(page);
    try {
      const file = fileOf(pathname, bundle);
      const content = await readFile(file);
      return answer.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' }).end(content);
    } catch {
      return answer.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}
