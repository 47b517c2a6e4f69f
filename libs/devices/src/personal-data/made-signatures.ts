import type { EventStore } from '#event-store/event-store';
import { userStream } from '#kernel/user-stream';
import type { PersonalDataKind } from '#personal-data/personal-data';
import type { Views } from '#projections/views';
import type { CrossSigningFacts } from '../facts/cross-signing-facts.js';
import { KEY_SIGNATURES } from '../projections/cross-signing.projector.js';

/**
 * The signatures of somebody's over keys, as far as they still count. Rows are found by whose key was signed, so that the log says which there
 * may be; who else signed somebody is shown to those others alone.
 */
export function madeSignatures(views: Pick<Views, 'get'>, store: Pick<EventStore, 'readStream'>): PersonalDataKind {
  return {
    name: 'signatures',
    chapter: 'devices',
    isCountedAsErased: false,
    title: 'Whom you verified',
    about: 'The signatures that you made over keys: of your devices, and of other people.',
    covers: { collections: [KEY_SIGNATURES], facts: ['signatures-added'] },
    async *read(userId) {
      const told = new Set<string>();
      for await (const { type, data } of store.readStream(userStream(userId))) {
        if (type !== 'signatures-added') continue;
        const { signatures } = JSON.parse(data) as CrossSigningFacts['signatures-added']; // written by this library
        for (const { user_id: of, target, key_id: keyId } of signatures) {
          const key = [of, userId, target, keyId] as const;
          if (told.has(JSON.stringify(key))) continue;
          told.add(JSON.stringify(key));
          const row = await KEY_SIGNATURES.get(views, key);
          if (row !== undefined) yield { data: { user_id: of, target, key_id: keyId, signature: row.signature } };
        }
      }
    },
  };
}
