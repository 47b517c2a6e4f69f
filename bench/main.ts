import { cpus, totalmem } from 'node:os';
import { benchAppservice } from './appservice.js';
import { benchDevices } from './devices.js';
import { benchEventStoreServer } from './event-store-server.js';
import { benchFederation } from './federation.js';
import { type Figure, tableOf } from './figures.js';
import { benchInitialSync } from './initial-sync.js';
import { benchJoining } from './joining.js';
import { benchJoins } from './joins.js';
import { benchLarge } from './large.js';
import { benchLogins } from './logins.js';
import { benchMedia } from './media.js';
import { benchPresence } from './presence.js';
import { benchPush } from './push.js';
import { benchReceive } from './receive.js';
import { benchRemoteJoin } from './remote-join.js';
import { benchReplayRooms } from './replay-rooms.js';
import { benchResolve } from './resolve.js';
import { benchSearch } from './search.js';
import { benchSend } from './send.js';
import { benchSending } from './sending.js';
import { benchSliding } from './sliding.js';
import { benchStateAt } from './state-at.js';
import { benchThumbnails } from './thumbnails.js';

const FACTS = Number(process.env['BENCH_FACTS'] ?? 1_000_000);
const MESSAGES = Number(process.env['BENCH_MESSAGES'] ?? 1_000_000);

/** `npm run bench [-- NAME…]`: what each part of the benchmark is called on the command line. */
const PARTS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  send: benchSend,
  logins: benchLogins,
  receive: benchReceive,
  joins: benchJoins,
  joining: benchJoining,
  federation: async () => [...(await benchFederation()), ...(await benchSending())],
  'remote-join': benchRemoteJoin,
  sync: benchInitialSync,
  devices: benchDevices,
  sliding: benchSliding,
  presence: benchPresence,
  appservice: benchAppservice,
  push: benchPush,
  media: async () => [...(await benchMedia()), ...(await benchThumbnails())],
  replay: benchReplayRooms,
  large: () => benchLarge(FACTS),
  search: () => benchSearch(MESSAGES),
  resolve: benchResolve,
  state: benchStateAt,
  server: benchEventStoreServer,
};

const wanted = process.argv.slice(2).filter((name) => !name.startsWith('-'));
const unknown = wanted.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`No such part: ${unknown.join(', ')}. There are: ${Object.keys(PARTS).join(', ')}.`);
  process.exit(2);
}

const figures: Figure[] = [];
for (const [name, run] of Object.entries(PARTS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  console.error(`${name} …`);
  figures.push(...(await run()));
}
const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
};
console.log(`${machine.cores} cores (${machine.cpu}), ${machine.memoryGB} GB, Node ${machine.node}\n`);
console.log(tableOf(figures));
console.log(`\n${JSON.stringify({ machine, facts: FACTS, figures })}`);
