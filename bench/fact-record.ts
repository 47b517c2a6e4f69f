import { randomUUID } from 'node:crypto';
import { FactRecords, placeFact } from '#event-store/lmdb/fact-record';
import { sealFacts } from '#event-store/seal-facts';
import { measure, sampleEvent } from './measure.js';

/** What it costs to make the embedded log's record of a message, and to read it, in microseconds; and its bytes. Lines of text. */
export function benchFactRecord(): string[] {
  const data = JSON.stringify({
    event_id: '$x',
    room_version: '11',
    state: [],
    visibility: 'shared',
    pdu: sampleEvent(),
  });
  const draft = { id: randomUUID(), type: 'pdu-accepted', data, at: Date.now(), actor: '@someone:example.org' };
  const fact = sealFacts(undefined, [draft])[0]!;
  const records = new FactRecords();
  const record = records.encode(fact);
  placeFact(record, 1, 1, 1);
  return [
    measure('the record of a message', () => records.encode(fact)),
    measure('the message of its record', () => records.decode(record, record.length, String)),
    `${String(record.length).padStart(9)} bytes, of ${JSON.stringify(fact).length} as JSON`,
  ];
}
