import { constant, array, assert, integer, oneof, option, property, record as shape, string, uuid } from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewFact } from '../event-store.js';
import { positionOf } from './counted-position.js';
import { FactRecords, placeFact, TRUNCATED_RECORD } from './fact-record.js';

const records = new FactRecords();
const metadata = { at: 1.5, actor: '@zoë:example.org', schema: 1, chain: 'abc' };
const text = string({ unit: 'grapheme' });
const sha256 = array(integer({ min: 0, max: 15 }), { minLength: 64, maxLength: 64 }).map((digits) =>
  digits.map((digit) => digit.toString(16)).join(''),
);
const left = option(text, { nil: undefined });

describe('fact record', () => {
  it('gives back every fact and its place', () => {
    const fact = shape({
      id: oneof(uuid(), string({ maxLength: 60 })),
      type: text,
      data: oneof(
        text,
        text.map((some) => some.repeat(9_000)),
      ),
      metadata: shape({
        at: integer({ min: 0, max: 4e12 }),
        actor: text,
        device: left,
        causation: left,
        correlation: left,
        schema: integer({ min: 1, max: 0xffff }),
        chain: oneof(sha256, text, constant('A'.repeat(64))),
        erasable: option(integer({ min: 0, max: 0xffffffff }), { nil: undefined }),
        erased: option(oneof(sha256, text), { nil: undefined }),
      }),
    });
    const place = shape({
      stream: integer({ min: 0, max: 0xffffffff }),
      revision: integer({ min: 0, max: 0xffffffff }),
      position: integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    });
    assert(
      property(fact, place, (given, { stream, revision, position }) => {
        const record = records.encode(given);
        placeFact(record, stream, revision, position);
        // As lmdb hands it over: at the beginning of a larger buffer.
        const shared = Buffer.concat([record, Buffer.from('left over')]);
        const found = records.decode(shared, record.length, (number) => `stream ${number}`);
        const withPlace = { ...given, stream: `stream ${stream}`, revision, position: positionOf(position) };
        expect(found).toEqual(withPlace);
        // What is not there is not there with the value undefined either.
        expect(JSON.parse(JSON.stringify(found))).toStrictEqual(JSON.parse(JSON.stringify(withPlace)));
        expect(Object.values(found!.metadata)).not.toContain(undefined);
      }),
    );
  });

  it('takes a message of 60 characters in under 750 bytes', () => {
    expect(records.encode(message('Let us meet at half past seven at the usual place, all of us')).length).toBeLessThan(
      750,
    );
  });

  it('refuses what it cannot hold and what it does not know', () => {
    const encode = (change: Partial<NewFact>) => records.encode({ id: 'x', type: 't', data: '', metadata, ...change });
    expect(() => encode({ type: 't'.repeat(65_536) })).toThrow(RangeError);
    expect(() => encode({ metadata: { ...metadata, schema: 65_536 } })).toThrow(RangeError);
    expect(() => encode({ metadata: { ...metadata, erasable: 2 ** 32 } })).toThrow(RangeError);
    const record = encode({});
    record[0] = 1;
    expect(() => records.decode(record, record.length, String)).toThrow('layout');
  });

  it('finds nothing in what is left of a fact that was truncated', () => {
    expect(records.decode(TRUNCATED_RECORD, TRUNCATED_RECORD.length, String)).toBeNull();
  });

  it('answers or throws, and quotes nothing, where any byte of it is another, or its end is missing', () => {
    const record = records.encode(message('secret words'));
    placeFact(record, 1, 2, 3);
    for (let at = 1; at < record.length; at++) {
      for (const value of [0, 0x7f, 0x80, 0xff]) {
        const damaged = Buffer.from(record);
        damaged[at] = value;
        expect(complaintOf(damaged)).not.toMatch(/secret/);
      }
      expect(complaintOf(record.subarray(0, at))).toMatch(/./);
    }
  });
});

/** What is said of a record that cannot be read; nothing where it can. */
function complaintOf(record: Buffer): string {
  try {
    records.decode(record, record.length, String);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

function message(body: string): NewFact {
  const id = '$QjSVDYiLQkxZe1Q5qz3Bxk1Thnz26v5WAnNrNVNUB8s';
  const pdu = {
    auth_events: ['$R33KZVuDsnL6xQBsyn8vr3Ib-2VrMLJBopedgoHHtmQ', '$Z82Di0rDPcOKkHB-p6cN0-pvJwY7oYFOod5QLx09F6k'],
    content: { body, msgtype: 'm.text' },
    depth: 8963,
    hashes: { sha256: '3qjzPSKmBSCuhWTJ6vea7KAdQ7zlKytyrllDUlxThQM' },
    origin: 'a.example',
    origin_server_ts: 1_795_872_656_462,
    prev_events: ['$tUUfcHf8bv2jUxoaCq3AehaHF_B7F2w5nrixQMoEOw0'],
    room_id: '!FOU4mM2UMdqyeQrFJq1M364fRtXegVnXbqqbqI3bQF4',
    sender: '@alice:a.example',
    signatures: {
      'a.example': {
        'ed25519:a_vxhk': 'Di1Lis/rGK21/rbYKLXmoWTZqjpk2sNwYxMILVUq9f684ToMm9SS1u25zmi2TZkZZRzceznXgwyB9UV7KqTMAw',
      },
    },
    type: 'm.room.message',
  };
  const header = { event_id: id, room_version: '12', state: [], root: 'gp4F9P431Exo-vY-TeD4oWc6RodeAfLjam48QTSn_S8' };
  const rest = { extremities: [id], txn: { device_id: 'XUGZCBSVFJ', txn_id: 't8940' }, visibility: 'shared' };
  return {
    id: 'a3c9339a-2776-59a4-b258-5ff0163d4eb3',
    type: 'pdu-accepted',
    data: JSON.stringify({ ...header, ...rest, pdu }),
    metadata: {
      at: 1_795_872_656_462,
      actor: '@alice:a.example',
      device: 'XUGZCBSVFJ',
      correlation: '881d8db2-6xc',
      schema: 1,
      chain: '242279c091bf1faf8d61b303cc637cf01895e2770c1b82a1ba43aeb816517339',
      erasable: 284,
    },
  };
}
