// Starts the real program on a free port with a database of its own.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = process.env.EM_METRICS_BINARY;
if (!binary) throw new Error('EM_METRICS_BINARY must be the path of em-metrics');

// freePort returns a port that is currently free.
async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

// startService starts the service with the teams of the sample data, and waits until it
// is ready. Without an argument authentication is disabled.
export async function startService(environment = { EM_METRICS_NO_AUTH: '1' }) {
  const folder = await mkdtemp(join(tmpdir(), 'em-metrics-page-'));
  const teams = join(folder, 'teams.json');
  await writeFile(teams, execFileSync(binary, ['sample', '-teams']));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(binary, ['serve'], {
    env: {
      HOST: '127.0.0.1', PORT: String(port), SQLITE_DB: join(folder, 'page.db'), PATH: process.env.PATH,
      CONFIG: teams, EM_METRICS_PRODUCTION_ENVIRONMENTS: 'production', ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => { log += chunk; });
  const exited = new Promise((exit) => child.on('exit', exit));
  const deadline = Date.now() + 20_000;
  for (;;) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the service did not start:\n${log}`);
    const response = await fetch(`${url}/ready`).catch(() => null);
    if (response?.ok) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    // replay sends a year of sample data with the command that a user would run.
    async replay() {
      const replay = spawn(binary, ['replay', '-sample', '-url', url], { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: process.env.PATH } });
      const code = await new Promise((exit) => replay.on('exit', exit));
      if (code !== 0) throw new Error(`replay exited with code ${code}`);
    },
    // post sends a request that must succeed.
    async post(path, body) {
      const response = await fetch(url + path, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true });
    },
  };
}
