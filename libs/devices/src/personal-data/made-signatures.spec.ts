import { expect, it } from 'vitest';
import type { EventStore } from '#event-store/event-store';
import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Views } from '#projections/views';
import { MemoryReadModels } from '#testing/memory-read-models';
import { applyFacts, recordFacts, type StreamFact } from '#testing/project';
import { crossSigningProjector } from '../projections/cross-signing.projector.js';
import { madeSignatures } from './made-signatures.js';

const ALICE = '@alice:a.example' as UserId;
const BOB = '@bob:a.example' as UserId;

const signedBy = (signer: UserId, of: UserId, target: string, signature: string): StreamFact => ({
  stream: `user-${signer}`,
  type: 'signatures-added',
  data: { signatures: [{ user_id: of, target, key_id: 'ed25519:key', signature, signed: 'hash' }] },
});

it('are those that somebody made and that still count, each once, and not those that others made of them', async () => {
  const facts = recordFacts([
    signedBy(ALICE, BOB, 'his', 'first'),
    signedBy(ALICE, BOB, 'his', 'second'),
    signedBy(ALICE, ALICE, 'D', 'own'),
    signedBy(BOB, ALICE, 'hers', 'by Bob'),
    { stream: `user-${ALICE}`, type: 'devices-removed', data: { device_ids: ['D'] } },
  ]);
  const rows = new MemoryReadModels();
  await applyFacts(crossSigningProjector, facts, rows);
  const log = {
    async *readStream(stream: string) {
      yield* facts.filter((fact) => fact.stream === stream);
    },
  };
  const kind = madeSignatures(rows as unknown as Pick<Views, 'get'>, log as unknown as EventStore);
  const told: JsonObject[] = [];
  for await (const { data } of kind.read(ALICE)) told.push(data);
  expect(told).toEqual([{ user_id: BOB, target: 'his', key_id: 'ed25519:key', signature: 'second' }]);
});
