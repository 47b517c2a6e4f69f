import { expect, it } from 'vitest';
import type { Member } from './member.js';
import { BOTH, type Shared } from './shared.js';

/** What passes between servers without being kept in rooms, and the keys of devices. */
export function describePassing(shared: Shared): void {
  it.each(BOTH)('tells who types, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, '10');
    const typing = `/rooms/${encodeURIComponent(room)}/typing/${encodeURIComponent(comer.id)}`;
    await comer.ok('PUT', typing, { typing: true, timeout: 30_000 });
    await maker.followed.until('typing', () => toldIn(maker, room, 'm.typing').at(-1)?.includes(comer.id));
    await comer.ok('PUT', typing, { typing: false });
    const isOver = () => toldIn(maker, room, 'm.typing').at(-1)?.includes(comer.id) === false;
    await maker.followed.until('no typing', isOver);
  });

  it.each(BOTH)('tells who has read what, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, '10');
    const said = await maker.say(room, 'read me');
    await comer.followed.untilTold(room, said);
    await comer.ok('POST', `/rooms/${encodeURIComponent(room)}/receipt/m.read/${encodeURIComponent(said)}`, {});
    const isTold = () =>
      toldIn(maker, room, 'm.receipt').some((told) => told.includes(comer.id) && told.includes(said));
    await maker.followed.until('a receipt', isTold);
  });

  it.each(BOTH)('tells who is there, made on %s', async (where) => {
    const { maker, comer } = await shared.room(where, '10');
    const status_msg = `not here, ${where}`;
    await comer.ok('PUT', `/presence/${encodeURIComponent(comer.id)}/status`, { presence: 'unavailable', status_msg });
    await maker.followed.until('presence', ({ presence }) =>
      presence.some(({ sender, content }) => sender === comer.id && content.status_msg === status_msg),
    );
  });

  it.each(BOTH)('hands messages to devices on, each once and in order, made on %s', async (where) => {
    const { maker, comer } = shared.pair(where);
    const before = comer.followed.toDevice.length;
    for (let i = 0; i < 20; i++) await maker.toDevice(comer, 'org.example.count', { i });
    await comer.followed.until('twenty messages', ({ toDevice }) => toDevice.length >= before + 20);
    const told = comer.followed.toDevice.slice(before).map(({ sender, content }) => [sender, content.i]);
    expect(told).toEqual(Array.from({ length: 20 }, (_, i) => [maker.id, i]));
  });

  it.each(BOTH)('hands on numbers that are no integers, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, '5');
    const before = comer.followed.toDevice.length;
    const numbers = [0.5, 0.0001, -1.25];
    for (const number of numbers) await maker.toDevice(comer, 'org.example.number', { number });
    const said = await sayNumbers(
      maker,
      room,
      '1E5,1e21,1.0,0.1e1,-0.0,9223372036854775807,-9223372036854775808,0.00010',
    );
    await comer.followed.untilTold(room, said);
    await comer.followed.until('numbers', ({ toDevice }) => toDevice.length >= before + numbers.length);
    expect(comer.followed.toDevice.slice(before).map((told) => told.content.number)).toEqual(numbers);
  });

  // Some servers write all that they are sent anew before they look at the signature: one such number ended all traffic.
  it.each(BOTH)('goes on behind numbers that no two makes spell alike, made on %s', async (where) => {
    const { maker, comer, room } = await shared.room(where, '10');
    const { room: old } = await shared.room(where, '5');
    for (const number of [0.00001, 1.5e-7]) await maker.toDevice(comer, 'org.example.number', { number });
    await sayNumbers(maker, old, '0.00001,1E-7');
    await comer.followed.untilTold(room, await maker.say(room, 'behind them'));
  });

  it.each(BOTH)('tells of devices, and lets their keys be claimed, made on %s', async (where) => {
    const { maker, comer } = await shared.room(where, '10');
    const before = comer.followed.devicesChanged.length;
    await maker.uploadKeys();
    await comer.followed.until('changed devices', ({ devicesChanged }) =>
      devicesChanged.slice(before).includes(maker.id),
    );
    // While Synapse fetches a list of devices by itself it says that they cannot be had.
    const query = async () => (await comer.ok('POST', '/keys/query', { device_keys: { [maker.id]: [] } })).device_keys;
    const device = { user_id: maker.id, device_id: maker.deviceId };
    await expect.poll(query).toMatchObject({ [maker.id]: { [maker.deviceId]: device } });
    const one_time_keys = { [maker.id]: { [maker.deviceId]: 'signed_curve25519' } };
    const claimed = (await comer.ok('POST', '/keys/claim', { one_time_keys })).one_time_keys;
    expect(Object.keys(claimed[maker.id][maker.deviceId])).toEqual(['signed_curve25519:AAAA']);
  });

  it.each(BOTH)('tells of a device that comes, and of the same when it is gone, made on %s', async (where) => {
    const { maker, comer } = await shared.room(where, '10');
    const devices = async (): Promise<string[]> =>
      Object.keys(
        (await comer.ok('POST', '/keys/query', { device_keys: { [maker.id]: [] } })).device_keys[maker.id] ?? {},
      );
    const changes = async (act: () => Promise<unknown>): Promise<void> => {
      const before = comer.followed.devicesChanged.length;
      await act();
      const isTold = () => comer.followed.devicesChanged.slice(before).includes(maker.id);
      await comer.followed.until('changed devices', isTold);
    };
    const tablet = await maker.anotherDevice('Tablet');
    await changes(() => tablet.uploadKeys());
    await expect.poll(devices).toContain(tablet.deviceId);
    await changes(() => tablet.ok('POST', '/logout', {}));
    await expect.poll(devices).not.toContain(tablet.deviceId);
  });
}

function toldIn(member: Member, room: string, type: string): string[] {
  return member.followed
    .room(room)
    .ephemeral.flatMap((edu) => (edu.type === type ? [JSON.stringify(edu.content)] : []));
}

/** Says something with numbers, spelled as they are told, in a room whose version takes any. */
async function sayNumbers(member: Member, room: string, numbers: string): Promise<string> {
  const path = `/rooms/${encodeURIComponent(room)}/send/m.room.message/numbers`;
  return (await member.ok('PUT', path, `{"msgtype":"m.text","body":"numbers","n":[${numbers}]}`)).event_id;
}
