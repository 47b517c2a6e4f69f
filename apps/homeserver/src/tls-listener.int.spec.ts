import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { openLog } from '#observability/logger';
import { freePort } from '#testing/free-port';
import { TestAuthority } from '#testing/test-authority';
import { type RunningServer, startServer } from './server.js';

const AUTHORITY = new TestAuthority();
const CURRENT = AUTHORITY.issue();
/** For its renewal, by another authority. */
const NEXT_AUTHORITY = new TestAuthority();
const NEXT = NEXT_AUTHORITY.issue();

let directory: string;
let port: number;
let server: RunningServer | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'annals-tls-'));
  writeFileSync(join(directory, 'tls.key'), CURRENT.key);
  writeFileSync(join(directory, 'tls.crt'), CURRENT.certificate);
  port = await freePort();
});
afterEach(async () => {
  await server?.drain();
  server = undefined;
  rmSync(directory, { recursive: true });
});

describe('the listener with TLS', () => {
  it('serves the same doors as the listener for clients', async () => {
    server = await start();
    const path = '/_matrix/client/versions';
    const overTls = await get(path);
    expect(overTls).toEqual({ status: 200, body: await (await fetch(`${server.address}${path}`)).json() });
    expect(await get('/_matrix/federation/nothing')).toMatchObject({
      status: 404,
      body: { errcode: 'M_UNRECOGNIZED' },
    });
  });

  it('tells everybody whether the server can do its work, and nothing of how much that is', async () => {
    server = await start();
    expect(await get('/health')).toEqual({ status: 200, body: { ok: true } });
    expect(await (await fetch(`${server.address}/health`)).json()).toHaveProperty('projections');
    expect(await get('/metrics')).toMatchObject({ status: 404, body: { errcode: 'M_UNRECOGNIZED' } });
    expect((await fetch(`${server.address}/metrics`)).status).toBe(200);
  });

  it('drains with the server: answers what is under way and accepts nothing more', async () => {
    server = await start();
    const socket = connect({ host: '127.0.0.1', port, ca: AUTHORITY.certificate, servername: 'localhost' });
    await once(socket, 'secureConnect');
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    const body = '{"type":"m.login.password"}';
    const head = `POST /_matrix/client/v3/login HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
    socket.write(head + body.slice(0, 5));
    // Answered behind what was written above: that has begun now.
    await get('/_matrix/client/versions');
    const drained = server.drain();
    await expect(get('/_matrix/client/versions')).rejects.toThrow();
    socket.write(body.slice(5));
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 40\d /);
    expect(await drained).toBe(true);
  });

  it('takes a renewed certificate for new connections, and keeps the old one where the new is wrong', async () => {
    server = await start();
    writeFileSync(join(directory, 'tls.crt'), NEXT.certificate);
    expect(() => server?.renewCertificate()).toThrow(join(directory, 'tls.crt'));
    expect(await get('/_matrix/client/versions')).toMatchObject({ status: 200 });
    writeFileSync(join(directory, 'tls.key'), NEXT.key);
    server.renewCertificate();
    await expect(get('/_matrix/client/versions')).rejects.toThrow();
    expect(await get('/_matrix/client/versions', NEXT_AUTHORITY.certificate)).toMatchObject({ status: 200 });
  });

  it.each(['tls.crt', 'tls.key'])('ends the start where %s cannot be used, and names it', async (name) => {
    writeFileSync(join(directory, name), 'no PEM at all');
    await expect(start()).rejects.toThrow(join(directory, 'tls.crt'));
    rmSync(join(directory, name));
    await expect(start()).rejects.toThrow(join(directory, name));
  });
});

async function start(): Promise<RunningServer> {
  const config = loadConfig({
    ANNALS_LISTEN: '127.0.0.1:0',
    ANNALS_FEDERATION_LISTEN: `127.0.0.1:${port}`,
    ANNALS_TLS_CERT: join(directory, 'tls.crt'),
    ANNALS_TLS_KEY: join(directory, 'tls.key'),
    ANNALS_DATA_DIR: directory,
    ANNALS_REGISTRATION: 'closed',
    ANNALS_LOG: 'silent',
  });
  return startServer(config, await openLog(config.log), () => {});
}

function get(path: string, ca = AUTHORITY.certificate): Promise<{ status: number | undefined; body: unknown }> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, ca, servername: 'localhost', agent: false };
    const sent = request(options, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
    });
    sent.on('error', reject).end();
  });
}
