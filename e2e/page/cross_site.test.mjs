// What a page of another site can do to the service in a real browser: nothing.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { startService } from './service.mjs';

const credentials = { username: 'ada', password: 'a secret' };
const authorization = `Basic ${Buffer.from('ada:a secret').toString('base64')}`;

// startAttacker serves an empty page, on another port than the service.
async function startAttacker() {
  const server = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<!DOCTYPE html><title>prizes</title>'));
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

// submit posts an empty form to another site, as any page may.
const submit = (page, action) => Promise.all([page.waitForNavigation(), page.evaluate((to) => {
  const form = Object.assign(document.createElement('form'), { method: 'post', action: to });
  document.body.append(form);
  form.submit();
}, action)]).then(([answer]) => answer);

// send posts a body with fetch, whose answer the page may not read.
const send = (page, to, body) => page.evaluate(([url, text]) => fetch(url, {
  method: 'POST', mode: 'no-cors', credentials: 'include', body: new Blob([text]),
}).then(() => 'sent', (error) => String(error)), [to, body]);

describe('a page of another site', () => {
  let browser, attacker;
  before(async () => {
    attacker = await startAttacker();
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'],
    });
  });
  after(async () => {
    await browser?.close();
    attacker.close();
  });

  // Another port is another origin of the same site; another host is another site.
  for (const host of ['127.0.0.1', 'localhost']) {
    const open = async (t, context) => {
      t.after(() => context.close());
      const page = await context.newPage();
      return { page, prizes: `http://${host}:${attacker.address().port}/` };
    };

    test(`on ${host} cannot use a remembered password`, async (t) => {
      const service = await startService({ EM_METRICS_BASIC_AUTH_USERNAME: 'ada', EM_METRICS_BASIC_AUTH_PASSWORD: 'a secret' });
      t.after(() => service.stop());
      const headers = { Authorization: authorization, 'Content-Type': 'application/json' };
      const opened = await fetch(`${service.url}/incidents`, { method: 'POST', headers, body: '{"id": "1", "project_id": "shop"}' });
      assert.equal(opened.status, 201);
      const read = async () => (await fetch(`${service.url}/incidents`, { headers })).json();
      const recorded = await read();

      const { page, prizes } = await open(t, await browser.newContext({ httpCredentials: credentials }));
      assert.equal((await page.goto(service.url)).status(), 200); // and the password is remembered
      for (const path of ['/incidents/1/restored', '/api/v1/incidents/1/finished', '/deployments/1/deployed']) {
        await page.goto(prizes);
        const answer = await submit(page, service.url + path);
        assert.equal(answer.status(), 403, path);
        assert.match((await answer.json()).type, /#error-cross-origin$/, path);
        assert.equal((await answer.request().allHeaders()).authorization, authorization, 'the browser did not send the password');
      }
      assert.deepEqual(await read(), recorded);
    });

    test(`on ${host} cannot send events where no credential is required`, async (t) => {
      const service = await startService();
      t.after(() => service.stop());
      const { page, prizes } = await open(t, await browser.newContext());
      await page.goto(prizes);
      const refused = page.waitForResponse(`${service.url}/incidents`);
      assert.equal(await send(page, `${service.url}/incidents`, '{"id": "1", "project_id": "shop"}'), 'sent');
      assert.equal((await refused).status(), 403);
      assert.equal(await send(page, `${service.url}/api/v1/deployments/1/deployed`,
        '{"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-01-31"}'), 'sent');
      for (const list of ['incidents', 'deployments']) {
        assert.deepEqual(await (await fetch(`${service.url}/${list}`)).json(), [], list);
      }
    });
  }
});
