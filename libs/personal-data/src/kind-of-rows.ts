import type { UserId } from '#kernel/ids';
import type { JsonObject } from '#kernel/json';
import type { Collection, Range } from '#projections/collection';
import type { Views } from '#projections/views';
import type { Covered, PersonalDataKind } from './personal-data.js';

/** A kind whose records are the rows of one collection, each of which begins with whose it is. */
export interface RowsOfPerson<K extends readonly [userId: UserId, ...rest: string[]], V> extends Omit<
  PersonalDataKind,
  'read' | 'covers'
> {
  readonly rows: Collection<K, V>;
  /** What they stand beside, and say as well. */
  readonly alsoCollections?: Covered['collections'];
  readonly facts: readonly string[];
  /** Undefined: the row tells nothing. */
  readonly record: (key: K, value: V) => JsonObject | undefined;
}

/** The kind, over the views. */
export function kindOfRows<K extends readonly [userId: UserId, ...rest: string[]], V>(
  views: Pick<Views, 'scan'>,
  { rows, alsoCollections = [], facts, record, ...kind }: RowsOfPerson<K, V>,
): PersonalDataKind {
  return {
    ...kind,
    covers: { collections: [rows, ...alsoCollections], facts },
    async *read(userId) {
      const ofPerson = { prefix: [userId] } as unknown as Range<K>; // each key begins so
      for await (const page of rows.pages(views, ofPerson)) {
        for (const { key, value } of page) {
          const data = record(key, value);
          if (data !== undefined) yield { data };
        }
      }
    },
  };
}

/** A value of ours as the JSON that it is: rows and facts are written as such. */
export function jsonOf(value: object): JsonObject {
  return value as JsonObject;
}
