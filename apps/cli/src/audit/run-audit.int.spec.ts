import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Aggregates } from '#event-store/aggregates';
import { decideClaim, decideRelease, evolveAlias, NO_ALIAS } from '#directory/aliases';
import { aliasStream } from '#directory/facts/alias-facts';
import { systemClock } from '#kernel/clock';
import type { RoomAlias } from '#kernel/ids';
import { ALICE, BOB, type LocalRoom } from '#testing/local-room';
import { DataFolder } from '#testing/data-folder';
import { recordedTerminal } from '../../test/recorded-terminal.js';
import { testInstallation } from '../../test/test-installation.js';
import { EXIT } from '../failure.js';
import { runAudit, type RunAuditOptions } from './run-audit.js';

const folder = new DataFolder();
const alias = '#room:a.example' as RoomAlias;
const gone = '#gone:a.example' as RoomAlias;
let room: LocalRoom;

beforeAll(async () => {
  room = await folder.fill();
  await folder.write(async (store) => {
    const fold = { initialState: NO_ALIAS, evolve: evolveAlias };
    const aliases = new Aggregates({ store, clock: systemClock, capacity: 10, ...fold });
    const { roomId } = room;
    for (const each of [alias, gone]) {
      const claim = { alias: each, room_id: roomId, creator: ALICE };
      await aliases.execute(aliasStream(each), (state) => decideClaim(state, claim), { actor: ALICE });
    }
    const release = { alias: gone, room_id: roomId, by: ALICE };
    await aliases.execute(aliasStream(gone), (state) => decideRelease(state, release), { actor: ALICE });
  });
});
afterAll(() => folder.remove());

async function audit(options: Partial<RunAuditOptions> = {}): Promise<string[]> {
  const terminal = recordedTerminal();
  expect(await runAudit(testInstallation(folder.path), terminal, { room: room.roomId, json: false, ...options })).toBe(
    EXIT.ok,
  );
  return terminal.lines;
}

describe('annals audit', () => {
  test('tells each fact on a line: revision, time, who, device, what', async () => {
    const lines = await audit();
    expect(lines).toHaveLength(26);
    expect(lines[3]).toMatch(
      /^ {5}3 {2}2023-11-14T22:13:20\.\d{3}Z {2}alice \(ALICESPHONE\) set the topic to "first"$/,
    );
    expect(lines[5]).toMatch(/ alice \(ALICESPHONE\) sent a message \(m\.text, 9 bytes\)$/);
    expect(lines[25]).toMatch(/ changed the topic from "first" to "second"$/);
  });

  test('tells event ids and the effect too, where that is asked for', async () => {
    const lines = await audit({ verbose: true });
    expect(lines[3]).toMatch(/ set the topic to "first" {2}\[m\.room\.topic = \$\S+\]$/);
    expect(lines[5]).toMatch(/ sent a message \(m\.text, 9 bytes\) {2}\$\S+$/);
    expect(lines[25]).toMatch(/\[m\.room\.topic = \$\S+, was \$\S+\]$/);
  });

  test('tells what was said only where that is asked for', async () => {
    expect((await audit()).join()).not.toContain('message 7');
    expect((await audit({ messages: true }))[12]).toMatch(
      / bob \(ALICESPHONE\) sent a message \(m\.text\): message 7$/,
    );
  });

  test('tells the last entries alone', async () => {
    expect(await audit({ limit: 2 })).toEqual((await audit()).slice(-2));
  });

  test('shows some revisions only, and JSON with the same content', async () => {
    const [line, ...others] = await audit({ from: 4, to: 4, json: true });
    expect(others).toEqual([]);
    expect(JSON.parse(line ?? '')).toMatchObject({
      revision: 4,
      at: expect.stringMatching(/^2023-/),
      actor: BOB,
      type: 'm.room.member',
      effect: [{ type: 'm.room.member', state_key: BOB }],
    });
  });

  test('finds a room by its alias', async () => {
    expect(await audit({ room: alias })).toEqual(await audit());
  });

  test('prints the state dictionary of a moment', async () => {
    const [head, ...keys] = await audit({ at: { revision: 3 } });
    expect(head).toMatch(/^!r:a\.example after revision 3: 4 keys, root \S+$/);
    expect(keys).toHaveLength(4);
    expect(keys.at(-1)).toMatch(/^m\.room\.topic {2}\$\S+ {2}\{"topic":"first"\}$/);
    const json = (await audit({ at: { revision: 25 }, json: true })).map(
      (line) => JSON.parse(line) as Record<string, unknown>,
    );
    expect(json.find(({ type }) => type === 'm.room.topic')).toMatchObject({
      revision: 25,
      content: { topic: 'second' },
    });
    expect(new Set(json.map(({ root }) => root)).size).toBe(1);
  });

  test.each([
    ['!nowhere:a.example', {}, 'The log has no room !nowhere:a.example'],
    ['#nowhere:a.example', {}, '#nowhere:a.example: the log has no room under this alias'],
    [gone, {}, 'no room under this alias'],
    ['nonsense', {}, 'neither a room id'],
    ['!r:a.example', { at: { revision: 99 } }, 'no revision 99; its last is 25'],
  ])('says clearly that there is no %s %o, with exit code 1', async (name, options, message) => {
    await expect(audit({ room: name, ...options })).rejects.toMatchObject({
      message: expect.stringContaining(message),
      exitCode: EXIT.found,
    });
  });

  test('has nothing to tell where there is no log, with exit code 2', async () => {
    const empty = new DataFolder();
    const terminal = recordedTerminal();
    await expect(
      runAudit(testInstallation(empty.path), terminal, { room: room.roomId, json: false }),
    ).rejects.toMatchObject({
      message: expect.stringContaining('there is no log here'),
      exitCode: EXIT.failed,
    });
    empty.remove();
  });
});
