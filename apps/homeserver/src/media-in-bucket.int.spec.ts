import 'reflect-metadata';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#config/config';
import { openBucket } from '#media/store/s3/open-bucket';
import { BucketServer } from '#testing/bucket-server';
import { type Answer, WholeServer } from '../test/whole-server.js';

const DOWNLOAD = '/_matrix/client/v1/media/download';
const UPLOAD = '/_matrix/media/v3/upload';

describe('media in a bucket', () => {
  let bucket: BucketServer;
  let server: WholeServer;
  let token: string;

  beforeAll(async () => {
    bucket = await BucketServer.start();
    server = await WholeServer.start({
      ANNALS_MEDIA_BUCKET: bucket.url,
      ANNALS_MEDIA_BUCKET_KEY_ID: bucket.keyId,
      ANNALS_MEDIA_BUCKET_SECRET: bucket.secret,
      ANNALS_MEDIA_BUCKET_REGION: bucket.region,
      ANNALS_FEDERATION: 'off',
      ANNALS_MEDIA_QUOTA: '20M',
    });
    ({ token } = await server.register('alice'));
  });
  afterAll(async () => {
    await server.close();
    await bucket.stop();
  });

  const upload = (body: string | Buffer): Promise<Answer> => server.request('POST', UPLOAD, { token, body });
  const idOf = ({ text }: Answer): string =>
    (JSON.parse(text) as { content_uri: string }).content_uri.slice('mxc://'.length);
  const get = (id: string, headers = {}) => server.request('GET', `${DOWNLOAD}/${id}`, { token, headers });
  const contents = (): string[] => bucket.keys().filter((key) => key.startsWith('content/'));

  it('are given whole and in part, and stored once, and nothing of them stays on this machine', async () => {
    const [first, second] = [idOf(await upload('0123456789')), idOf(await upload('0123456789'))];
    expect(await get(first)).toMatchObject({ status: 200, text: '0123456789' });
    expect(await get(second, { range: 'bytes=2-5' })).toMatchObject({ status: 206, text: '2345' });
    const head = await server.request('HEAD', `${DOWNLOAD}/${first}`, { token });
    expect([head.status, head.headers['content-length']]).toEqual([200, '10']);
    expect(contents()).toHaveLength(1);
    expect(readdirSync(join(server.folder, 'media/incoming'))).toEqual([]);
  });

  it('go from there where the upload is refused after all', async () => {
    const before = contents();
    const large = await Promise.all([upload(Buffer.alloc(15_000_000, 1)), upload(Buffer.alloc(15_000_000, 2))]);
    expect(large.map(({ status }) => status).toSorted()).toEqual([200, 403]);
    expect(contents()).toHaveLength(before.length + 1);
  });

  it('are 503 while it is away, and there again afterwards; what was not kept is not acknowledged', async () => {
    const id = idOf(await upload('kept'));
    const before = contents();
    bucket.intercept = ({ socket }) => {
      socket.destroy();
      return true;
    };
    for (const answer of [await get(id), await upload('not kept')]) {
      expect([answer.status, JSON.parse(answer.text)]).toEqual([
        503,
        { errcode: 'M_UNKNOWN', error: 'The media of the server cannot be reached', retry_after_ms: 5000 },
      ]);
      expect(answer.headers['cache-control'] ?? '').not.toContain('max-age');
    }
    bucket.intercept = () => false;
    expect(await get(id)).toMatchObject({ status: 200, text: 'kept' });
    expect(contents()).toEqual(before);
    expect(readdirSync(join(server.folder, 'media/incoming'))).toEqual([]);
  });

  it('are not shared with a server of another name', async () => {
    const settings = {
      ANNALS_SERVER_NAME: 'b.example',
      ANNALS_MEDIA_BUCKET: bucket.url,
      ANNALS_MEDIA_BUCKET_KEY_ID: bucket.keyId,
      ANNALS_MEDIA_BUCKET_SECRET: bucket.secret,
    };
    const config = loadConfig(settings);
    await expect(openBucket(config.media.bucket!, server.folder, config.serverName)).rejects.toThrow(
      'ANNALS_MEDIA_BUCKET: the bucket holds the media of a.example',
    );
  });
});
