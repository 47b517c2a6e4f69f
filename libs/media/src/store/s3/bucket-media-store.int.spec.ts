import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BucketServer } from '#testing/bucket-server';
import { describeMediaStore } from '../media-store.contract.js';
import type { ContentHash } from '../media-store.js';
import { Bucket } from './bucket.js';
import { BucketMediaStore } from './bucket-media-store.js';

const folder = mkdtempSync(join(tmpdir(), 'annals-bucket-incoming-'));
const MB = 1024 * 1024;

let server: BucketServer;
/** What the operator is told. */
const told: string[] = [];
const watch = { onLost: (reason: string) => void told.push(`lost: ${reason}`), onBack: () => void told.push('back') };

beforeAll(async () => {
  // As where the server speaks to application services.
  await import('undici');
  server = await BucketServer.start();
});
afterEach(() => {
  server.intercept = () => false;
  told.length = 0;
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

const bucket = (more: object = {}): Bucket => new Bucket({ ...server, ...more }, watch, 1);
const storeOf = (one = bucket(), name = 'a.example'): BucketMediaStore => new BucketMediaStore(one, folder, name);
const incoming = (): string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};
const keep = async (store: BucketMediaStore, content: Uint8Array): Promise<ContentHash> => {
  const received = await store.receive([content], 100 * MB);
  await received.keep();
  await received.discard();
  return received.hash;
};
const away = { errcode: 'M_UNKNOWN', status: 503 };

describeMediaStore('content in a bucket', {
  open: async () => storeOf(),
  clear: async () => {
    server.clear();
    await rm(folder, { recursive: true, force: true });
  },
  countLeftovers: async () => incoming().length,
});

describe('a bucket', () => {
  it('has content where files have it, so that it can be copied from there', async () => {
    server.clear();
    const store = storeOf();
    const hash = await keep(store, Buffer.from('content'));
    await store.keepDerived(hash, '96x96-crop.jpeg', Buffer.from('small'));
    const place = `${hash.slice(0, 2)}/${hash.slice(2, 4)}/${hash}`;
    expect(server.keys()).toEqual(['annals-server', `content/${place}`, `derived/${place}/96x96-crop.jpeg`]);
  });

  it('gets large content in parts, and all of it again where one of them was not taken', async () => {
    const content = randomBytes(20 * MB + 1);
    const store = storeOf();
    let failures = 0;
    server.intercept = ({ method, url = '' }, response) => {
      if (method !== 'PUT' || !url.includes('partNumber=2') || failures > 0) return false;
      failures++;
      response.writeHead(503).end();
      return true;
    };
    const hash = await keep(store, content);
    expect(failures).toBe(1);
    const parts = server.calls.filter((call) => call.includes('partNumber=') && call.includes(hash));
    expect(parts).toHaveLength(4);
    expect(await store.sizeOf(hash)).toBe(content.length);
    expect((await buffer((await store.open(hash))!.stream)).equals(content)).toBe(true);
    const part = (await store.open(hash, { first: 8 * MB - 1, last: 8 * MB + 1 }))!;
    expect((await buffer(part.stream)).equals(content.subarray(8 * MB - 1, 8 * MB + 2))).toBe(true);
    expect(part.bytes).toBe(content.length);
  });

  it('has large content once it says what is there, or that it is as long, and not by the status of the answer', async () => {
    const store = storeOf();
    const content = randomBytes(9 * MB);
    let answered = 0;
    const complete = (status: number, body: string): void => {
      server.intercept = ({ method, url = '' }, response) => {
        if (method !== 'POST' || !url.includes('uploadId=')) return false;
        answered++;
        response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
        return true;
      };
    };
    const received = await store.receive([content], 100 * MB);
    const error = (code: string): string =>
      `<?xml version="1.0"?><Error><Code>${code}</Code><Message>m</Message></Error>`;
    for (const [status, code] of [
      [200, 'InternalError'],
      [404, 'NoSuchUpload'],
      [501, 'NotImplemented'],
    ] as const) {
      complete(status, error(code));
      await expect(received.keep()).rejects.toMatchObject(away);
      expect(await store.sizeOf(received.hash)).toBeUndefined();
    }
    expect(answered).toBe(3);
    server.intercept = () => false;
    await received.keep();
    await received.discard();
    expect((await buffer((await store.open(received.hash))!.stream)).equals(content)).toBe(true);
  });

  it('has large content that it completed, whose answer was lost', async () => {
    const store = storeOf();
    let lost = 0;
    server.intercept = ({ method, url = '', socket }, response) => {
      if (method !== 'POST' || !url.includes('uploadId=')) return false;
      if (lost++ > 0) {
        const gone = '<?xml version="1.0"?><Error><Code>NoSuchUpload</Code><Message>m</Message></Error>';
        response.writeHead(404, { 'content-type': 'application/xml' }).end(gone);
        return true;
      }
      // It is completed all the same.
      response.write = () => true;
      response.end = () => {
        socket.destroy();
        return response;
      };
      return false;
    };
    const content = randomBytes(9 * MB);
    const hash = await keep(store, content);
    expect(lost).toBe(2);
    expect(await store.sizeOf(hash)).toBe(content.length);
  });

  it('that refuses is told of once, and what is not kept there is not said to be', async () => {
    const store = storeOf();
    const hash = await keep(store, Buffer.from('before'));
    server.intercept = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const received = await store.receive([Buffer.from('meanwhile')], 100);
    await expect(received.keep()).rejects.toMatchObject(away);
    await expect(store.open(hash)).rejects.toMatchObject(away);
    await expect(store.sizeOf(hash)).rejects.toMatchObject(away);
    await expect(store.delete(hash)).rejects.toMatchObject(away);
    await expect(store.openDerived(hash, 'small')).rejects.toMatchObject(away);
    expect(told).toEqual(['lost: 503 Unknown']);
    server.intercept = () => false;
    // Who has it still can keep it once the bucket is back.
    await received.keep();
    await received.discard();
    expect(await text((await store.open(received.hash))!.stream)).toBe('meanwhile');
    expect(await text((await store.open(hash))!.stream)).toBe('before');
    expect(told).toEqual(['lost: 503 Unknown', 'back']);
    expect(incoming()).toEqual([]);
  });

  it('that knows no such address, or puts nothing, has not taken what is put there, be it whose it is', async () => {
    const store = storeOf();
    for (const status of [404, 501]) {
      server.clear();
      const refuse: typeof server.intercept = ({ method }, response) => {
        if (method !== 'PUT') return false;
        response.writeHead(status).end();
        return true;
      };
      server.intercept = refuse;
      await expect(storeOf().claim()).rejects.toMatchObject(away);
      server.intercept = () => false;
      await store.claim();
      server.intercept = refuse;
      const received = await store.receive([Buffer.from(`refused with ${status}`)], 100);
      await expect(received.keep()).rejects.toMatchObject(away);
      await expect(store.keepDerived(received.hash, 'small', Buffer.from('x'))).rejects.toMatchObject(away);
      server.intercept = () => false;
      expect(await store.sizeOf(received.hash)).toBeUndefined();
      // It is not lost either.
      await received.keep();
      await received.discard();
      expect(await text((await store.open(received.hash))!.stream)).toBe(`refused with ${status}`);
    }
  });

  it('that ends connections, or is not there, is away too', async () => {
    const store = storeOf();
    server.intercept = ({ socket }) => {
      socket.destroy();
      return true;
    };
    await expect(store.sizeOf('0'.repeat(64) as ContentHash)).rejects.toMatchObject(away);
    const nowhere = storeOf(bucket({ url: 'http://127.0.0.1:9/media' }));
    await expect(nowhere.sizeOf('0'.repeat(64) as ContentHash)).rejects.toMatchObject(away);
    const gone = storeOf(bucket({ url: server.url.replace(/media$/, 'gone') }));
    await expect(gone.open('0'.repeat(64) as ContentHash)).rejects.toMatchObject(away);
  });

  it('is asked once where it knows nobody by the keys, which nobody is told', async () => {
    const store = storeOf(bucket({ keyId: 'A KEY ID', secret: 'A SECRET' }));
    const before = server.calls.length;
    const failure: unknown = await store.open('0'.repeat(64) as ContentHash).catch((error: unknown) => error);
    expect(failure).toMatchObject(away);
    expect(server.calls.length - before).toBe(1);
    expect(told).toEqual([expect.stringMatching(/^lost: 403 \w+$/)]);
    expect(JSON.stringify((failure as { toBody(): object }).toBody())).not.toContain('KEY');
  });

  it('of another server is not touched', async () => {
    server.clear();
    const hash = await keep(storeOf(), Buffer.from('theirs'));
    const other = storeOf(bucket(), 'b.example');
    const refused = 'the bucket holds the media of a.example';
    await expect(other.claim()).rejects.toThrow(refused);
    await expect(other.delete(hash)).rejects.toThrow(refused);
    await expect(keep(other, Buffer.from('ours'))).rejects.toThrow(refused);
    await expect(async () => {
      for await (const _ of other.list());
    }).rejects.toThrow(refused);
    expect(await storeOf().sizeOf(hash)).toBe(6);
  });

  it('is rid of uploads in parts that nobody goes on with', async () => {
    // As AWS lists them: the server of this test does not.
    const upload = (id: string, ageMs: number): string =>
      `<Upload><Key>content/aa/bb/${id}</Key><UploadId>${id}</UploadId><Initiated>${new Date(Date.now() - ageMs).toISOString()}</Initiated></Upload>`;
    const ended: string[] = [];
    server.intercept = ({ method, url = '' }, response) => {
      if (method === 'DELETE') ended.push(new URL(url, 'http://x').searchParams.get('uploadId')!);
      else if (!url.includes('uploads=')) return false;
      const list = `<ListMultipartUploadsResult><Bucket>media</Bucket>${upload('old', 7_200_000)}${upload('new', 1000)}</ListMultipartUploadsResult>`;
      response.writeHead(method === 'DELETE' ? 204 : 200, { 'content-type': 'application/xml' });
      response.end(method === 'DELETE' ? undefined : list);
      return true;
    };
    await storeOf().discardLeftovers(3_600_000);
    expect(ended).toEqual(['old']);
    await storeOf().discardLeftovers();
    expect(ended).toEqual(['old', 'old', 'new']);
  });
});
