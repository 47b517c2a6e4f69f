import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { above, type Figure, under } from './figures.js';
import { type BenchUser, RunningServer } from './running-server.js';
import { watchMemory } from './watch-memory.js';

const AT_ONCE = 100;
const BYTES = 10 * 1024 * 1024;
const PIECE = 64 * 1024;
const MB = 2 ** 20;

/** Uploads of 10 MB, all at once, and the same downloaded, all at once: how fast, and how much more memory the server takes. */
export async function benchMedia(): Promise<Figure[]> {
  const server = await RunningServer.start({ connections: AT_ONCE });
  try {
    const user = await server.register('alice');
    // What is loaded and made ready with the first one is no part of it.
    await download(server, user, await upload(server, user, 0, MB));
    const up = await measure(server, () => all((i) => upload(server, user, i + 1, BYTES)));
    const down = await measure(server, () => all((i) => download(server, user, up.result[i] ?? '')));
    const wrong = down.result.filter((bytes) => bytes !== BYTES).length;
    if (wrong > 0) throw new Error(`${wrong} downloads were not whole`);
    return [
      ...figuresOf(`${AT_ONCE} uploads of 10 MB at once`, up),
      ...figuresOf(`${AT_ONCE} downloads of 10 MB at once`, down),
    ];
  } finally {
    await server.stop();
  }
}

function all<T>(work: (i: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: AT_ONCE }, (_, i) => work(i)));
}

interface Measured<T> {
  readonly result: T;
  readonly seconds: number;
  /** More than before, in MB. */
  readonly rss: number;
  readonly anonymous: number;
}

async function measure<T>({ process }: RunningServer, work: () => Promise<T>): Promise<Measured<T>> {
  const { pid = 0 } = process;
  const before = watchMemory(pid);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const idle = before.stop();
  const memory = watchMemory(pid);
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  const most = memory.stop();
  return { result, seconds, rss: most.rss - idle.rss, anonymous: most.anonymous - idle.anonymous };
}

function figuresOf(name: string, { seconds, rss, anonymous }: Measured<unknown>): Figure[] {
  return [
    above(`${name}: in all`, 'MB/s', (AT_ONCE * BYTES) / MB / seconds, 50),
    under(`${name}: more memory`, 'MB', Math.max(0, rss), 150),
    under(`${name}: more memory, without mapped files`, 'MB', Math.max(0, anonymous), 150),
  ];
}

/** No two are the same. Answers what the medium is called. */
async function upload({ pool }: RunningServer, { token }: BenchUser, nth: number, bytes: number): Promise<string> {
  const piece = randomBytes(PIECE);
  piece.writeUInt32BE(nth);
  const body = Readable.from(Array.from({ length: bytes / PIECE }, () => piece));
  const headers = { authorization: `Bearer ${token}`, 'content-length': String(bytes), 'content-type': 'image/png' };
  const answer = await pool.request({ method: 'POST', path: '/_matrix/media/v3/upload', headers, body });
  const { content_uri: uri } = (await answer.body.json()) as { content_uri: string };
  return uri.slice('mxc://'.length);
}

/** Answers how many bytes came. */
async function download({ pool }: RunningServer, { token }: BenchUser, media: string): Promise<number> {
  const path = `/_matrix/client/v1/media/download/${media}`;
  const answer = await pool.request({ method: 'GET', path, headers: { authorization: `Bearer ${token}` } });
  let bytes = 0;
  for await (const piece of answer.body as AsyncIterable<Buffer>) bytes += piece.length;
  return bytes;
}
