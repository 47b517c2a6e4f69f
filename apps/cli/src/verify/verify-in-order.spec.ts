import { beforeEach, describe, expect, test } from 'vitest';
import { parseVerifyKey } from '#protocol/signing/signing-key';
import { LocalRoom, TEST_AUTHOR } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import type { LogFinding } from './finding.js';
import { verifyInOrder } from './verify-in-order.js';

const ROOMS = 8;
const key = parseVerifyKey(TEST_AUTHOR.signingKey.publicKey);
let store: MemoryEventStore;

/** Rooms that take turns, so that all are under way from the beginning to the end. */
beforeEach(async () => {
  store = new MemoryEventStore();
  const rooms: LocalRoom[] = [];
  for (let i = 0; i < ROOMS; i++) rooms.push(await LocalRoom.begin(store, '11', `r${i}`));
  for (let turn = 0; turn < 4; turn++) {
    for (const room of rooms) await room.send({ type: 'a.state', stateKey: `${turn}`, content: { turn } });
  }
  for (const room of rooms) await room.send({ type: 'm.room.message', content: { body: 'the end' } });
});

async function verify(mostHeld?: number) {
  const findings: LogFinding[] = [];
  let walks = 0;
  let told = 0;
  const counted = new Proxy(store, {
    get: (target, name) => {
      if (name === 'readAll') walks++;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const { streams, rooms, facts } = await verifyInOrder({
    store: counted,
    head: await store.head(),
    keys: () => key,
    report: (finding) => findings.push(finding),
    onFact: () => told++,
    onPlace: () => {},
    mostHeld,
  });
  findings.sort((a, b) =>
    `${a.stream} ${a.revision} ${a.problem}`.localeCompare(`${b.stream} ${b.revision} ${b.problem}`),
  );
  return { findings, walks, told, streams, rooms, facts };
}

describe('a log on a server with more rooms than should be held', () => {
  test('is gone through several times, and each fact is counted once', async () => {
    const { walks: once, ...atOnce } = await verify();
    const { walks, ...inParts } = await verify(12);
    expect(once).toBe(1);
    expect(walks).toBeGreaterThan(2);
    expect(inParts).toEqual(atOnce);
    expect(atOnce).toMatchObject({ findings: [], streams: ROOMS, rooms: ROOMS, facts: ROOMS * 7, told: ROOMS * 14 });
  });

  test('tells what is wrong once, wherever it stands', async () => {
    const change = (place: number, from: string, to: string): void => {
      const fact = store.facts[place]!;
      const changed = { ...fact, data: fact.data.replaceAll(from, to) };
      expect(changed.data).not.toBe(fact.data);
      store.facts[place] = changed;
    };
    change(2, 'm.room.create', 'm.room.erased');
    change(ROOMS * 2 + 1, '"turn":0', '"turn":7');
    change(store.facts.length - 1, 'the end', 'no end');
    const signature = /"signatures":\{.*?"(?<text>[^"]{80,})"/;
    const { text = '' } = signature.exec(store.facts[ROOMS * 4]!.data)!.groups!;
    change(ROOMS * 4, text, `A${text.slice(1)}`);
    const { findings } = await verify();
    expect(findings.length).toBeGreaterThan(6);
    expect(findings.some(({ problem }) => problem.includes('signature'))).toBe(true);
    expect((await verify(12)).findings).toEqual(findings);
    expect((await verify(1)).findings).toEqual(findings);
  });
});
