// Bundles the renderer into the folder given as argument.
import { build } from 'esbuild';

const outdir = process.argv[2];
if (!outdir) throw new Error('usage: node build.mjs FOLDER');

await build({
  entryPoints: ['src/main.jsx'],
  bundle: true,
  minify: true,
  outdir,
  format: 'iife',
  loader: { '.svg': 'dataurl', '.png': 'dataurl', '.ttf': 'dataurl', '.woff': 'dataurl', '.woff2': 'dataurl' },
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}', global: 'window' },
  mainFields: ['browser', 'module', 'main'],
  conditions: ['import', 'browser'],
  logLevel: 'error',
});
