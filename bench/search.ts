import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openLmdbEventStore } from '#event-store/lmdb/lmdb-event-store';
import { TodaysEventStore } from '#event-store/todays-event-store';
import { systemClock } from '#kernel/clock';
import type { RoomId, ServerName } from '#kernel/ids';
import { FACT_SHAPES } from '#processes/fact-shapes';
import { ProjectionRuntime } from '#projections/projection-runtime';
import { openLmdbReadModels } from '#read-models/lmdb/lmdb-read-model-store';
import { ROOM_PARTS } from '#rooms/facts/told-in-parts';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { searchProjector } from '#search/projections/search.projector';
import { type Figure, median, percentile, under } from './figures.js';
import { GrownLog } from './grown-log.js';
import { type BenchUser, RunningServer } from './running-server.js';

const SERVER = 'bench.example' as ServerName;
/** Half of the messages are in one room, the others in these. */
const ROOMS = 100;
/** As many as a language has that is in use. */
const VOCABULARY = 50_000;
const WORDS_OF_MESSAGE = 11;
const TIMES = 40;
/** How long a search may hold up everything else, in milliseconds. */
const MAX_TURN_MS = 20;
const WATCH = fileURLToPath(new URL('watch-process.js', import.meta.url));

/** What it takes to find something among many messages, and what of each is written down for it. */
export async function benchSearch(messages: number): Promise<Figure[]> {
  let server = await RunningServer.start();
  const alice = await server.register('alice');
  const large = (await server.createRoom(alice)) as RoomId;
  const rooms: RoomId[] = [];
  for (let i = 0; i < ROOMS; i++) rooms.push((await server.createRoom(alice)) as RoomId);
  const { directory } = server;
  await server.stop({ keep: true });
  const log = await GrownLog.open(directory, SERVER);
  await log.says(large, messages / 2, textOf);
  for (const [n, room] of rooms.entries())
    await log.says(room, messages / 2 / ROOMS, (i) => textOf(messages + n * messages + i));
  await log.close();
  const written = await benchWriting(directory, messages);
  const turns = join(tmpdir(), `annals-bench-turns-${process.pid}.json`);
  const env = {
    NODE_OPTIONS: `--import=${WATCH}`,
    BENCH_TURNS: turns,
    BENCH_MAX_TURN_MS: String(MAX_TURN_MS),
  };
  server = await RunningServer.start({ directory, env });
  try {
    // What is compiled on the way is not to count.
    await benchAnswers(server, alice, large);
    server.process.kill('SIGUSR2');
    const answers = await benchAnswers(server, alice, large);
    await server.stop();
    const { longest } = JSON.parse(readFileSync(turns, 'utf8')) as { longest: number };
    return [...written, ...answers, under('search: longest turn of all searches', 'ms', longest, MAX_TURN_MS)];
  } finally {
    rmSync(turns, { force: true });
  }
}

/** The projector alone over all of the log, into views of its own. */
async function benchWriting(directory: string, messages: number): Promise<Figure[]> {
  const log = await openLmdbEventStore(join(directory, 'log'));
  const store = new TodaysEventStore(log, FACT_SHAPES, ROOM_PARTS);
  const views = mkdtempSync(join(tmpdir(), 'annals-bench-'));
  const readModels = await openLmdbReadModels(views);
  const projectors = [searchProjector(createRoomFactReader())];
  const runtime = new ProjectionRuntime({ store, readModels, projectors, listeners: [], clock: systemClock });
  const before = process.cpuUsage();
  await runtime.start();
  await readModels.flush();
  const { user, system } = process.cpuUsage(before);
  await runtime.stop();
  await readModels.close();
  await store.close();
  const bytes = readdirSync(views).reduce((sum, name) => sum + statSync(join(views, name)).size, 0);
  rmSync(views, { recursive: true });
  return [
    under('search: processor time for a message, read from the log', 'µs', (user + system) / messages, 60),
    under('search: disk for a message', 'bytes', bytes / messages, 500),
  ];
}

async function benchAnswers(server: RunningServer, alice: BenchUser, large: RoomId): Promise<Figure[]> {
  const asked: Readonly<Record<string, object>> = {
    'a rare word': { search_term: wordAt(30_000) },
    'two frequent words': { search_term: `${wordAt(3)} ${wordAt(5)}` },
    'three words, the newest first': {
      search_term: `${wordAt(2)} ${wordAt(40)} ${wordAt(300)}`,
      order_by: 'recent',
    },
    'two words, one of them rare, in one room': {
      search_term: `${wordAt(1)} ${wordAt(20_000)}`,
      filter: { rooms: [large] },
    },
    'two words, with what surrounds them and names': {
      search_term: `${wordAt(10)} ${wordAt(60)}`,
      event_context: { before_limit: 1, after_limit: 1, include_profile: true },
    },
    'words that stand together nowhere': { search_term: `${wordAt(9_000)} ${wordAt(9_001)} ${wordAt(9_002)}` },
  };
  const figures: Figure[] = [];
  for (const [name, events] of Object.entries(asked))
    figures.push(...(await benchOne(server, alice, name, events, 50)));
  // As much as is looked at for one page: the only one who spoke is not among the senders.
  const nothing = { search_term: wordAt(1), filter: { senders: ['@nobody:bench.example'] } };
  return [...figures, ...(await benchOne(server, alice, 'a frequent word, of which nothing is found', nothing, 500))];
}

async function benchOne(
  server: RunningServer,
  alice: BenchUser,
  name: string,
  events: object,
  limit: number,
): Promise<Figure[]> {
  const times: number[] = [];
  const before = server.processorMs();
  for (let i = 0; i < TIMES; i++) {
    const started = performance.now();
    await server.text('POST', '/_matrix/client/v3/search', alice.token, {
      search_categories: { room_events: events },
    });
    times.push(performance.now() - started);
  }
  const taken = (server.processorMs() - before) / TIMES;
  return [
    under(`search for ${name}: processor time`, 'ms', taken, limit),
    under(`search for ${name}: median`, 'ms', median(times), limit),
    under(`search for ${name}: p90`, 'ms', percentile(times, 90), limit),
  ];
}

/** A message of words as a language has them: the n-th most frequent is n times as rare as the most frequent. The same for the same number. */
function textOf(number: number): string {
  let state = (number * 2_654_435_761 + 1) >>> 0;
  const words: string[] = [];
  for (let i = 0; i < WORDS_OF_MESSAGE; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words.push(wordAt(Math.floor(VOCABULARY ** (state / 2 ** 32))));
  }
  return words.join(' ');
}

const SYLLABLES = ['ka', 'lo', 'mi', 'ne', 'ru', 'ta', 'so', 've', 'bi', 'du', 'fa', 'ge', 'ho', 'ju', 'pa', 'wi'];

/** The n-th most frequent word. */
function wordAt(rank: number): string {
  let word = '';
  for (let left = rank; left > 0 || word === ''; left = Math.floor(left / SYLLABLES.length))
    word += SYLLABLES[left % SYLLABLES.length];
  return word;
}
