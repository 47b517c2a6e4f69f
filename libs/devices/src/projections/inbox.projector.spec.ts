import { describe, expect, it } from 'vitest';
import { project, type StreamFact } from '#testing/project';
import { positionOf } from '#testing/position-of';
import { TO_DEVICE_SHAPES } from '../facts/to-device-facts.js';
import { inboxProjector } from './inbox.projector.js';

const ALICE = '@alice:a.example';
const BOB = '@bob:a.example';
const STREAM = `sent-${ALICE}|A`;

const begun = (logId: string): StreamFact => ({ stream: 'server', type: 'log-begun', data: { log_id: logId } });
const sent = (to: readonly (readonly [string, string, number])[], ...contents: object[]): StreamFact => ({
  stream: STREAM,
  type: 'to-device-sent',
  data: { type: 'm.test', txn: 't', to, contents },
  erasable: JSON.stringify({ type: 'm.test', txn: 't' }).length,
});
const taken = (
  device: string,
  upTo: number,
  logId: string | null,
  from: object,
  type = 'to-device-collected',
): StreamFact => ({
  stream: `inbox-${BOB}|${device}`,
  type,
  data: { up_to: positionOf(upTo), log_id: logId, from },
});
/** Who has what to collect: the devices' names, positions and messages. */
const inboxes = async (...facts: StreamFact[]): Promise<unknown[]> => {
  const rows = await project(inboxProjector, facts);
  const names = Object.keys(rows);
  const count = (name: string): number => names.filter((row) => row.startsWith(`${name} `)).length;
  expect(count('outstanding')).toBe(count('inbox'));
  return names
    .filter((row) => row.startsWith('inbox '))
    .map((row) => [...row.split(' ').slice(2), String(rows[row]).split('\n')[1]]);
};
const event = (n: number): string => JSON.stringify({ sender: ALICE, type: 'm.test', content: { n } });

describe('inboxes', () => {
  it('may lack something that was taken by its name alone by whichever fact stays behind which that is forgotten', () => {
    const { isForgotten } = inboxProjector;
    const shown = Object.keys(TO_DEVICE_SHAPES).filter((type) => isForgotten?.(type) === true);
    expect(shown).toEqual(['to-device-collected', 'to-device-expired', 'to-device-crowded-out']);
    expect(isForgotten?.('log-begun')).toBe(false);
  });

  const toBoth = sent([[BOB, 'B', 0], [BOB, 'C', 1]], { n: 0 }, { n: 1 }); // prettier-ignore
  const toB = sent([[BOB, 'B', 0]], { n: 2 });

  it('hold for each device what it is to have, as clients get it', async () => {
    expect(await inboxes(begun('l'), toBoth, toB)).toEqual([
      ['B', positionOf(2), event(0)],
      ['B', positionOf(3), event(2)],
      ['C', positionOf(2), event(1)],
    ]);
  });

  it('hold once for each other server what it is to hand on, until it has it', async () => {
    const forServer = sent([['@x:b.example', 'X', 0], ['@y:b.example', '*', 1], [BOB, 'B', 1]], { n: 0 }, { n: 1 }); // prettier-ignore
    expect(await inboxes(begun('l'), forServer)).toEqual([
      ['B', positionOf(2), event(1)],
      ['', positionOf(2), ''],
    ]);
    const data = { up_to: positionOf(2), log_id: 'l', from: { [STREAM]: [0] } };
    const delivered = { stream: 'inbox-b.example|', type: 'to-device-collected', data };
    expect(await inboxes(begun('l'), forServer, delivered)).toEqual([['B', positionOf(2), event(1)]]);
  });

  it.each(['to-device-collected', 'to-device-expired'])(
    'of one device are empty up to the place it says: %s',
    async (type) => {
      expect(await inboxes(begun('l'), toBoth, toB, taken('B', 2, 'l', { [STREAM]: [0] }, type))).toEqual([
        ['B', positionOf(3), event(2)],
        ['C', positionOf(2), event(1)],
      ]);
    },
  );

  it('of which the facts before the last went from the log are what they were', async () => {
    expect(await inboxes(begun('l'), toBoth, toB, taken('B', 3, 'l', { [STREAM]: [1] }))).toEqual([
      ['C', positionOf(2), event(1)],
    ]);
  });

  it('lose what was crowded out wherever it stands, and keep what came before it', async () => {
    const out = (upTo: number, logId: string): StreamFact =>
      taken('B', upTo, logId, { [STREAM]: [1] }, 'to-device-crowded-out');
    const kept = [
      ['B', positionOf(2), event(0)],
      ['B', positionOf(4), event(2)],
      ['C', positionOf(2), event(1)],
    ];
    expect(await inboxes(begun('l'), toBoth, toB, toB, out(0, 'l'))).toEqual(kept);
    expect(await inboxes(begun('copy'), toBoth, toB, toB, out(9, 'l'))).toEqual(kept);
    // Where it is all that is left of its stream, it says up to where the device had collected before.
    expect(await inboxes(begun('l'), toBoth, toB, toB, out(2, 'l'))).toEqual(kept.slice(1));
  });

  it('lose what a service has of them wherever it stands, and keep what came before it', async () => {
    const data = { up_to: positionOf(0), log_id: 'l', from: { [STREAM]: [1] }, alone: true };
    expect(
      await inboxes(begun('l'), toBoth, toB, { stream: `inbox-${BOB}|B`, type: 'to-device-collected', data }),
    ).toEqual([
      ['B', positionOf(2), event(0)],
      ['C', positionOf(2), event(1)],
    ]);
  });

  it('do not believe a place of another log: of a copy of it only what was named counts', async () => {
    expect(
      await inboxes(begun('copy'), toBoth, toB, taken('B', 9, 'l', { [STREAM]: [0, 7], 'sent-@x:y|Z': [0] })),
    ).toEqual([
      ['B', positionOf(3), event(2)],
      ['C', positionOf(2), event(1)],
    ]);
  });

  it('hold nothing of what was erased', async () => {
    expect(await inboxes(begun('l'), sent([]), toB)).toEqual([['B', positionOf(3), event(2)]]);
  });
});
