import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { type Figure, median, under } from './figures.js';
import { type BenchUser, RunningServer } from './running-server.js';

const WATCH = fileURLToPath(new URL('watch-process.js', import.meta.url));
const MAX_TURN_MS = 10;
const WIDTH = 4000;
const HEIGHT = 3000;
const PICTURES = 12;

/** Thumbnails of photos of 12 megapixels, one after another: how long each takes, and how long others wait meanwhile. */
export async function benchThumbnails(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'annals-bench-thumbnails-'));
  const turns = join(directory, 'turns.json');
  const env = {
    NODE_OPTIONS: `--import=${WATCH}`,
    BENCH_TURNS: turns,
    BENCH_MAX_TURN_MS: String(MAX_TURN_MS),
  };
  try {
    const server = await RunningServer.start({ env });
    const times: number[] = [];
    try {
      const user = await server.register('alice');
      const photo = await photoOf();
      const media: string[] = [];
      for (let nth = 0; nth < PICTURES; nth++) media.push(await upload(server, user, photo, nth));
      server.process.kill('SIGUSR2');
      for (const one of media) times.push(await thumbnail(server, user, one));
    } finally {
      await server.stop();
    }
    const { longest = Number.NaN } = JSON.parse(readFileSync(turns, 'utf8')) as { longest?: number };
    const [first = Number.NaN, ...others] = times;
    return [
      under('a thumbnail of 12 megapixels, with the start of a process for it', 'ms', first, 2_000),
      under('the next ones: median', 'ms', median(others), 1_000),
      under('longest turn of the event loop meanwhile, in time of the processor', 'ms', longest, MAX_TURN_MS),
    ];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** As much in it as in one of a camera: some 4 MB. */
function photoOf(): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 25 } as const;
  return sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, noise, background: 'black' } })
    .blur(0.6)
    .jpeg({ quality: 90 })
    .toBuffer();
}

/** No two are the same. Answers what the medium is called. */
async function upload({ pool }: RunningServer, { token }: BenchUser, photo: Buffer, nth: number): Promise<string> {
  const body = Buffer.concat([photo, Buffer.from([nth])]);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'image/jpeg' };
  const answer = await pool.request({ method: 'POST', path: '/_matrix/media/v3/upload', headers, body });
  return ((await answer.body.json()) as { content_uri: string }).content_uri.slice('mxc://'.length);
}

/** Answers how long it took, in milliseconds. */
async function thumbnail({ pool }: RunningServer, { token }: BenchUser, media: string): Promise<number> {
  const path = `/_matrix/client/v1/media/thumbnail/${media}?width=800&height=600&method=scale`;
  const started = performance.now();
  const answer = await pool.request({ method: 'GET', path, headers: { authorization: `Bearer ${token}` } });
  const { width } = await sharp(await answer.body.arrayBuffer()).metadata();
  if (answer.statusCode !== 200 || width !== 800) throw new Error(`${answer.statusCode}: no thumbnail`);
  return performance.now() - started;
}
