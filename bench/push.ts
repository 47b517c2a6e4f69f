import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GATEWAY_AUTHORITY, PushGateway, pusherAt } from '#testing/push-gateway';
import { type Figure, median, percentile, under } from './figures.js';
import { type BenchUser, RunningServer } from './running-server.js';
import { send } from './send.js';

const MEMBERS = Number(process.env['BENCH_MEMBERS'] ?? 1_000);
const SENDS = 300;
/** What each of so many sends adds for all who are told: more of them would be the gateway's time. */
const TOLD_SENDS = 5;

interface Measured {
  /** Of a send, from its start to its answer. */
  readonly ms: number;
  readonly processorMs: number;
}

/**
 * A room of a thousand members who all have pushers and rules of their own: what these add to a send that notifies nobody, and what it
 * takes to tell everybody.
 */
export async function benchPush(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'annals-bench-push-'));
  const authority = join(folder, 'authority.pem');
  writeFileSync(authority, GATEWAY_AUTHORITY.certificate);
  const gateway = await PushGateway.start();
  const server = await RunningServer.start({
    env: { ANNALS_TLS_CA: authority, ANNALS_PUSH_PRIVATE_GATEWAYS: '127.0.0.1', ANNALS_PRESENCE: 'off' },
    inspected: true,
  });
  try {
    const [sender, ...members] = await gather(server);
    const room = await server.createRoom(sender!);
    for (const { token } of members)
      await server.text('POST', `/_matrix/client/v3/join/${encodeURIComponent(room)}`, token, {});
    await measure(server, sender!, room, 'warm');
    const without = await measure(server, sender!, room, 'without');
    for (const [i, member] of members.entries()) await prepare(server, member, room, i, gateway.url);
    await measure(server, sender!, room, 'warm again');
    const withRules = await measure(server, sender!, room, 'with');
    const unread = await measureUnread(server, sender!, members, room, gateway);
    const told = await measureTold(server, sender!, members, room, gateway);
    const of = `${members.length} members with pushers and rules of their own`;
    return [
      {
        ...under(`${of}: added to a send, median`, 'ms', withRules.ms - without.ms, 3),
        floor: without.ms,
        floorName: 'a send before they had any',
      },
      {
        ...under(
          `${of}: added to a send, time of the processors`,
          'ms',
          withRules.processorMs - without.processorMs,
          3,
        ),
        floor: without.processorMs,
        floorName: 'a send before they had any',
      },
      ...unread,
      ...told,
    ];
  } finally {
    await server.stop();
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function gather(server: RunningServer): Promise<BenchUser[]> {
  const users: BenchUser[] = [];
  for (let i = 0; i <= MEMBERS; i += 8) {
    users.push(...(await Promise.all(Array.from({ length: 8 }, (_, j) => server.register(`member${i + j}`)))));
  }
  return users.slice(0, MEMBERS + 1);
}

/** A pusher, a word of their own to hear of, and the room muted but for that. */
async function prepare(
  server: RunningServer,
  { token }: BenchUser,
  room: string,
  i: number,
  url: string,
): Promise<void> {
  const rules = '/_matrix/client/v3/pushrules/global';
  const word = { pattern: `word${i}`, actions: ['notify', { set_tweak: 'highlight' }] };
  await server.text('PUT', `${rules}/content/word`, token, word);
  await server.text('PUT', `${rules}/room/${encodeURIComponent(room)}`, token, { actions: [] });
  await server.text('POST', '/_matrix/client/v3/pushers/set', token, pusherAt(url, { pushkey: `key${i}` }));
}

async function measure(server: RunningServer, sender: BenchUser, room: string, name: string): Promise<Measured> {
  const times: number[] = [];
  const spent = server.processorMs();
  for (let i = 0; i < SENDS; i++) {
    const began = performance.now();
    await send(server, sender, room, encodeURIComponent(`${name}${i}`));
    times.push(performance.now() - began);
  }
  return { ms: percentile(times, 50), processorMs: (server.processorMs() - spent) / SENDS };
}

/** Everybody is notified who has all that was sent until now unread: at first it is looked for, and with the next ones it is known. */
async function measureUnread(
  server: RunningServer,
  sender: BenchUser,
  members: readonly BenchUser[],
  room: string,
  gateway: PushGateway,
): Promise<Figure[]> {
  await notify(server, members, room);
  await server.collectGarbage();
  const before = server.residentMB();
  const first = await tell(server, sender, members, room, gateway, 'first');
  await server.collectGarbage();
  const memory = server.residentMB() - before;
  const later: Told[] = [];
  for (let i = 0; i < TOLD_SENDS; i++) later.push(await tell(server, sender, members, room, gateway, `unread${i}`));
  const of = `${members.length} members are all pushed to, who have ${gateway.unread} unread each`;
  return [
    under(`${of}: until all are told for the first time`, 'ms', first.told, 60_000),
    under(`${of}: until all are told, median`, 'ms', median(later.map(({ told }) => told)), 5_000),
    under(`${of}: memory`, 'MB', memory, 300),
  ];
}

async function notify(server: RunningServer, members: readonly BenchUser[], room: string): Promise<void> {
  const rule = `/_matrix/client/v3/pushrules/global/room/${encodeURIComponent(room)}`;
  for (const { token } of members) await server.text('PUT', rule, token, { actions: ['notify'] });
}

interface Told {
  /** After so many milliseconds the send was answered, and everybody was told. */
  readonly answered: number;
  readonly told: number;
  readonly processorMs: number;
}

async function tell(
  server: RunningServer,
  sender: BenchUser,
  members: readonly BenchUser[],
  room: string,
  gateway: PushGateway,
  name: string,
): Promise<Told> {
  gateway.told.length = 0;
  const [began, processor] = [performance.now(), server.processorMs()];
  await send(server, sender, room, name);
  const answered = performance.now() - began;
  while (gateway.events.length < members.length) await new Promise((resolve) => setTimeout(resolve, 5));
  return { answered, told: performance.now() - began, processorMs: server.processorMs() - processor };
}

/** Everybody is notified, one after another of a few sends; each is told before the next one. */
async function measureTold(
  server: RunningServer,
  sender: BenchUser,
  members: readonly BenchUser[],
  room: string,
  gateway: PushGateway,
): Promise<Figure[]> {
  const last = JSON.parse((await send(server, sender, room, 'read')) as string) as { event_id: string };
  for (const { token } of members) {
    const receipt = `/_matrix/client/v3/rooms/${encodeURIComponent(room)}/receipt/m.read/${encodeURIComponent(last.event_id)}`;
    await server.text('POST', receipt, token, {});
  }
  const each: Told[] = [];
  for (let i = 0; i < TOLD_SENDS; i++) each.push(await tell(server, sender, members, room, gateway, `told${i}`));
  const of = `${members.length} members are all pushed to`;
  return [
    under(`${of}: the send is answered, median`, 'ms', median(each.map(({ answered }) => answered)), 50),
    under(`${of}: until all are told, median`, 'ms', median(each.map(({ told }) => told)), 5_000),
    under(
      `${of}: time of the processors for each`,
      'ms',
      median(each.map(({ processorMs }) => processorMs)) / members.length,
      3,
    ),
  ];
}
