import { createServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { once } from 'node:events';
import { MongoServerError } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import { TestAuthority } from '#testing/test-authority';
import { ViewsMisconfigured, ViewsUnavailable } from '../read-model-errors.js';
import { judgeSilence } from './judge-silence.js';
import { openMongoReadModels } from './mongodb-read-model-store.js';

let server: Server | undefined;
afterEach(() => void server?.close());

async function listen(made: Server): Promise<string> {
  server = made.listen(0, '127.0.0.1');
  await once(made, 'listening');
  return `127.0.0.1:${(made.address() as AddressInfo).port}`;
}

async function errorOf(url: string, waitMs = 60_000): Promise<Error> {
  return openMongoReadModels(url, { waitMs }).then(
    () => expect.unreachable(),
    (error: Error) => error,
  );
}

describe('a database of views that does not answer at the start', () => {
  it('is an error without a secret once it is no longer waited for', async () => {
    const error = await errorOf('mongodb://user:s3cret@127.0.0.1:1/views?appName=x', 1);
    expect(error).toEqual(
      new ViewsUnavailable(
        'The database of the views at mongodb://127.0.0.1:1/views does not answer: connect ECONNREFUSED 127.0.0.1:1',
      ),
    );
  });

  it.each([
    ['an option that there is none of', 'mongodb://u:s3cret@127.0.0.1:1/?fooBar=1', /option foobar is not supported$/],
    ['a file that is missing', 'mongodb://u:s3cret@127.0.0.1:1/?tls=true&tlsCAFile=/no/such', /ENOENT.*\/no\/such/],
    ['a host that is unknown', 'mongodb://u:s3cret@no-such-host.invalid/', /: its host is unknown$/],
  ])('is a matter of the settings where nobody hears of it and they name %s', async (_, url, words) => {
    const error = await errorOf(url);
    expect(error).toBeInstanceOf(ViewsMisconfigured);
    expect(error.message).toMatch(words);
    expect(error.message).not.toContain('s3cret');
  });

  it('is a matter of the settings where its certificate is not trusted, or it speaks no TLS', async () => {
    const { certificate: cert, key } = new TestAuthority().issue();
    const secured = await listen(createTlsServer({ cert, key }, () => {}));
    const untrusted = await errorOf(`mongodb://${secured}/?tls=true`);
    expect(untrusted).toBeInstanceOf(ViewsMisconfigured);
    expect(untrusted.message).toMatch(/certificate is not trusted \(\w+\): name its authority with tlsCAFile$/);
    server?.close();
    const plain = await listen(createServer((socket) => socket.on('error', () => {}).write('HTTP/1.1 400\r\n\r\n')));
    expect(await errorOf(`mongodb://${plain}/?tls=true`)).toEqual(
      new ViewsMisconfigured(`The database of the views at mongodb://${plain}/: it does not speak TLS`),
    );
  });

  it('is a matter of the settings where it does not take the password, of the server where that refuses anything else, and is thrown on where it is anything else', () => {
    const refused = new MongoServerError({ code: 18, message: 'Authentication failed.' });
    expect(judgeSilence('mongodb://u:s3cret@db/', refused)).toMatchObject({
      mayPass: 'never',
      error: { message: expect.stringMatching(/mongodb:\/\/db\/: it does not take the user and the password/) },
    });
    const locked = new MongoServerError({ code: 1, message: 'database is locked' });
    expect(judgeSilence('mongodb://db/', locked)).toMatchObject({ mayPass: 'any time' });
    const odd = new Error('odd');
    expect(() => judgeSilence('mongodb://db/', odd)).toThrow(odd);
  });
});
