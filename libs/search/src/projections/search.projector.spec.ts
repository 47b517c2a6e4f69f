import { describe, expect, it } from 'vitest';
import { createRoomFactReader } from '#rooms/projections/room-fact-reader';
import { ALICE, BOB, LocalRoom } from '#testing/local-room';
import { MemoryEventStore } from '#testing/memory-event-store';
import { project, type StreamFact } from '#testing/project';
import { searchProjector } from './search.projector.js';
import { shelfCodec } from './shelf-row.js';

const factsOf = (log: MemoryEventStore): StreamFact[] =>
  log.facts.map(({ stream, type, data }): StreamFact => ({ stream, type, data: JSON.parse(data) }));
const rowsMadeOf = (log: MemoryEventStore): Promise<Record<string, unknown>> =>
  project(searchProjector(createRoomFactReader()), factsOf(log));

/** The same fact of an event of somebody else. */
const sentBy = ({ data, ...rest }: StreamFact, sender: string): StreamFact => {
  const { pdu } = data as { pdu: object };
  return { ...rest, data: { ...(data as object), pdu: { ...pdu, sender } } } as StreamFact;
};

const edit = (target: string, body: string): object => ({
  type: 'm.room.message',
  content: {
    msgtype: 'm.text',
    body: `* ${body}`,
    'm.new_content': { msgtype: 'm.text', body },
    'm.relates_to': { rel_type: 'm.replace', event_id: target },
  },
});

/** All that is written down, as one text. */
const writtenIn = (rows: Record<string, unknown>): string => JSON.stringify(rows);

describe('what is written down of rooms to be found', () => {
  it('is made anew before it is read where it was written before texts said who may see them', () => {
    const written = '0 1 1 0 1 1s 1s e\n';
    expect(() => shelfCodec.decode(written)).toThrow('no history visibility');
    expect(searchProjector(createRoomFactReader()).readableSince).toBe(5);
  });

  it('are the bodies of messages, names and topics, and nothing of other events', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    await room.setState('m.room.name', { name: 'Gardeners' });
    await room.setState('m.room.topic', { topic: 'roses', 'm.topic': { 'm.text': [{ body: 'tulips' }] } });
    await room.say('Peonies!');
    await room.send({ type: 'm.sticker', content: { body: 'lilies' } });
    await room.setState('m.room.canonical_alias', { alias: '#daisies:a.example' });
    const written = writtenIn(await rowsMadeOf(log));
    for (const word of ['gardeners', 'roses', 'tulips', 'peonies']) expect(written).toContain(word);
    for (const word of ['lilies', 'daisies']) expect(written).not.toContain(word);
  });

  it('is nothing of a redacted message, nor of its edits', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    const said = await room.say('secret');
    await room.send(edit(said.eventId, 'clandestine') as never);
    await room.redact(said);
    expect(writtenIn(await rowsMadeOf(log))).not.toMatch(/secret|clandestine/);
  });

  it('are all versions of what its sender edited, until one is redacted', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    await room.setState('m.room.join_rules', { join_rule: 'public' });
    await room.setMembership(BOB, 'join');
    const said = await room.say('roses');
    await room.send(edit(said.eventId, 'tulips') as never);
    const last = await room.send(edit(said.eventId, 'peonies') as never);
    await room.send({ ...edit(said.eventId, 'nettles'), sender: BOB } as never);
    const pageOf = async (): Promise<unknown> =>
      Object.entries(await rowsMadeOf(log)).find(([key]) => key.startsWith('search-shelves'))?.[1];
    expect(await pageOf()).toMatch(/ peonies tulips roses$/m);
    await room.redact(last);
    expect(await pageOf()).toMatch(/ tulips roses$/m);
  });

  it('are of many long edits the last ones, so that no row of them grows without end', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    const said = await room.say('roses');
    const long = (n: number): string => Array.from({ length: 500 }, (_, i) => `w${n}x${i}`).join(' ');
    for (let n = 0; n < 12; n++) await room.send(edit(said.eventId, long(n)) as never);
    const facts = factsOf(log);
    const early = facts.filter(({ data }) => (data as { event_id?: string }).event_id !== said.eventId);
    for (const [some, most] of [
      [facts, 8],
      [early, 1],
    ] as const) {
      const rows = await project(searchProjector(createRoomFactReader()), some as never);
      const [, row] = Object.entries(rows).find(([key]) => key.startsWith('search-edits'))!;
      const { edits } = row as { edits: { words: string[] }[] };
      expect(edits).toHaveLength(most);
      expect(edits.at(-1)?.words[0]).toBe('w11x0');
    }
  });

  it('are names and topics that come into force by another event, once, and not where they were redacted before', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    const [name, topic] = [
      await room.setState('m.room.name', { name: 'Gardeners' }),
      await room.setState('m.room.topic', { topic: 'roses' }),
    ];
    await room.say('Peonies!');
    const facts = factsOf(log);
    const isOf =
      ({ eventId }: { eventId: string }) =>
      ({ data }: StreamFact): boolean =>
        (data as { event_id?: string }).event_id === eventId;
    const pduOf = (event: { eventId: string }): string =>
      JSON.stringify((facts.find(isOf(event))!.data as { pdu: object }).pdu);
    const change = (type: string, { eventId }: { eventId: string }): object => ({
      type,
      state_key: '',
      event_id: eventId,
    });
    const current = { root: 'another', state: [change('m.room.name', name), change('m.room.topic', topic)] };
    const state_pdus = { [name.eventId]: pduOf(name), [topic.eventId]: pduOf(topic) };
    const bring = (fact: StreamFact): StreamFact => ({
      ...fact,
      data: { ...(fact.data as object), current, state_pdus },
    });
    const refused = facts.filter((fact) => !isOf(name)(fact) && !isOf(topic)(fact));
    const brings = [...refused.slice(0, -1), bring(refused.at(-1)!), bring(refused.at(-1)!)];
    const writtenOf = async (some: readonly StreamFact[]): Promise<string> =>
      writtenIn(await project(searchProjector(createRoomFactReader()), some as never));
    const written = await writtenOf(brings);
    for (const word of [' gardeners', ' roses', ' peonies'])
      expect(written.split(word)).toHaveLength(word === ' peonies' ? 3 : 2);
    expect(written).toMatch(/\d\+0 \w+ ns.* gardeners/);
    const { pdu } = facts.find(isOf(topic))!.data as { pdu: object };
    const redaction = { stream: facts[0]!.stream, type: 'pdu-redacted', data: { event_id: topic.eventId, pdu } };
    expect(await writtenOf([...refused.slice(0, -1), redaction as StreamFact, ...brings.slice(-1)])).not.toContain(
      'roses',
    );
  });

  it('are edits that came before their event, of whomever there are others', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    const said = await room.say('roses');
    for (let i = 0; i < 3; i++) await room.send(edit(said.eventId, `tulips ${i}`) as never);
    for (let i = 0; i < 30; i++) await room.send({ ...edit(said.eventId, `nettles ${i}`) } as never);
    const facts = factsOf(log);
    const bodies = facts.filter(({ data }) => (data as { event_id?: string }).event_id === said.eventId);
    const others = facts.map((fact) => (JSON.stringify(fact.data).includes('nettles') ? sentBy(fact, BOB) : fact));
    const ofElsewhere = bodies.map((fact) => ({ ...fact, data: { ...(fact.data as object), origin: 'b.example' } }));
    const early = others.filter(({ data }) => (data as { event_id?: string }).event_id !== said.eventId);
    const rows = await project(searchProjector(createRoomFactReader()), [...early, ...ofElsewhere] as never);
    const [, page] = Object.entries(rows).find(([key]) => key.startsWith('search-shelves'))!;
    expect(page).toMatch(/ tulips 2 1 0 roses$/m);
    expect(writtenIn(rows)).not.toContain('nettles');
  });

  it('is once what came as a part of a state and then as an event, with its edits', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    await room.setState('m.room.topic', { topic: 'roses' });
    const said = await room.say('tulips');
    await room.send(edit(said.eventId, 'peonies') as never);
    const facts = factsOf(log);
    const first = facts.findIndex(({ data }) => JSON.stringify(data).includes('roses'));
    const comes = facts
      .slice(first)
      .map((fact) => ({ ...fact, data: { ...(fact.data as object), origin: 'b.example' } }));
    const taken = comes.slice(0, 2).map((fact) => ({ ...fact, type: 'state-taken' }));
    for (const history of [undefined, true]) {
      const again = comes.map((fact) => ({ ...fact, data: { ...fact.data, history } }));
      const written = writtenIn(await project(searchProjector(createRoomFactReader()), [...taken, ...again] as never));
      expect(written.match(/ roses/g)).toHaveLength(1);
      expect(written.match(/ peonies tulips/g)).toHaveLength(1);
    }
    const redacted = await project(searchProjector(createRoomFactReader()), [
      ...taken,
      { ...taken[0], type: 'pdu-redacted' },
      comes[0],
    ] as never);
    expect(writtenIn(redacted)).not.toContain('roses');
  });

  it('is nothing of a room from where it is encrypted on', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    await room.setState('m.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' });
    const said = await room.say('roses');
    await room.send(edit(said.eventId, 'tulips') as never);
    expect(writtenIn(await rowsMadeOf(log))).not.toMatch(/roses|tulips/);
  });

  it('is filed under its words once there are many texts, whatever becomes of them then', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    const said = [];
    for (let i = 0; i < 260; i++) said.push(await room.say(`Number${i} of all`, ALICE));
    await room.redact(said[3]!);
    await room.send(edit(said[5]!.eventId, 'something else') as never);
    const rows = Object.entries(await rowsMadeOf(log));
    const filed = new Map(
      rows.filter(([key]) => key.startsWith('search-words')).map(([key, v]) => [key.split(' ')[2], v]),
    );
    expect(filed.get('number4')).toBe(String.fromCharCode(0xa1 + 4));
    expect(filed.has('number3')).toBe(false);
    expect(filed.get('number5')).toBe(String.fromCharCode(0xa1 + 5));
    expect(filed.get('something')).toBe(String.fromCharCode(0xa1 + 5));
    expect(filed.has('number258')).toBe(false);
    expect([...String(filed.get('all'))]).toHaveLength(255);
  }, 60_000);

  it('is filed early where texts are long', async () => {
    const log = new MemoryEventStore();
    const room = await LocalRoom.begin(log);
    for (let i = 0; i < 48; i++) await room.say(Array.from({ length: 200 }, (_, n) => `w${n} `).join('') + `t${i}`);
    const rows = await rowsMadeOf(log);
    const filed = Object.keys(rows).filter((key) => key.startsWith('search-words'));
    expect(filed.filter((key) => key.includes(' w7 '))).toHaveLength(1);
    expect(filed.filter((key) => / t(0|31) /.test(key))).toHaveLength(2);
  }, 60_000);
});
