// Starts the real binary on a free port with a database of its own.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = process.env.EM_METRICS_BINARY;
if (!binary) throw new Error('EM_METRICS_BINARY must name the built em-metrics');

async function freePort() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return port;
}

export async function startService(environment = { EM_METRICS_NO_AUTH: '1' }) {
  const folder = await mkdtemp(join(tmpdir(), 'em-metrics-page-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(binary, ['serve'], {
    env: { HOST: '127.0.0.1', PORT: String(port), SQLITE_DB: join(folder, 'page.db'), PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => { log += chunk; });
  const ended = new Promise((exit) => child.on('exit', exit));
  const until = Date.now() + 20_000;
  for (;;) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`the service did not start:\n${log}`);
    const answer = await fetch(`${url}/ready`).catch(() => null);
    if (answer?.ok) break;
    await new Promise((later) => setTimeout(later, 50));
  }
  return {
    url,
    // replay sends the sample year, through the command that a user would call.
    async replay() {
      const replay = spawn(binary, ['replay', '-sample', '-url', url], { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: process.env.PATH } });
      const code = await new Promise((exit) => replay.on('exit', exit));
      if (code !== 0) throw new Error(`replay ended with ${code}`);
    },
    async post(path, body) {
      const answer = await fetch(url + path, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}
