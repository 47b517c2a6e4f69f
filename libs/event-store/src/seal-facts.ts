import { hash, randomUUID } from 'node:crypto';
import type { FactMetadata, NewFact } from './event-store.js';
import { NotErasable } from './event-store-errors.js';

/**
 * A fact as a decider makes it. `data` is JSON text; `schema` is the version of its shape, 1 where it is left out; `erasable` as
 * in FactMetadata. What could be guessed, so that its hash would tell it, stands together with a random salt.
 */
export interface FactDraft {
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly schema?: number;
  readonly erasable?: number;
  readonly causation?: string;
}

/** A fact under an id of its own: nothing tells it from its repetition. */
export function draftOf({ type, data }: { readonly type: string; readonly data: object }): FactDraft {
  return { id: randomUUID(), type, data: JSON.stringify(data) };
}

/** A fact with all that surrounds it but its link to the fact before it. */
export interface UnsealedFact extends FactDraft {
  readonly at: number;
  readonly actor: string;
  readonly device?: string;
  readonly correlation?: string;
}

/** The first item of what is hashed: no other use of sha256 in Annals begins with it. */
const DOMAIN = 'annals-fact-2';

/**
 * Links facts to the last fact of their stream (its chain; undefined for a new stream) and to each other, in order.
 *
 * A fact's data has a head and may have a tail, which begins where `erasable` says. Its chain is the sha256, in lower-case hex, of
 * the UTF-8 of one line of JSON, a line feed, and the head byte for byte. The line is an array written without white space, as
 * ECMAScript's JSON.stringify writes it (only `"`, `\` and control characters are escaped), and null stands for what is not there:
 *
 *     ["annals-fact-2", chain of the fact before or null, id, type, schema, at, actor, device, causation, correlation, tail]
 *
 * where `tail` is the sha256, in lower-case hex, of the UTF-8 of the tail as it was first: it holds once that is erased, for
 * whoever erases it keeps this hash (`erased`). Of a fact without a tail all is head, and `tail` is null.
 *
 * So each chain covers everything in its stream up to and including its fact, but not what was put in the place of an erased tail.
 * Throws RangeError where `erasable` is no place in the data.
 */
export function sealFacts(previousChain: string | undefined, facts: readonly UnsealedFact[]): NewFact[] {
  let previous = previousChain;
  return facts.map((fact) => {
    const { id, type, data, at, actor, device, causation, correlation, schema = 1, erasable } = fact;
    if (erasable !== undefined && !(Number.isInteger(erasable) && erasable > 0 && erasable < data.length)) {
      throw new RangeError(`${type}: no tail begins at ${erasable}`);
    }
    const unlinked = { at, actor, device, causation, correlation, schema, erasable };
    const chain = chainOf(previous, id, type, data, unlinked);
    previous = chain;
    return Object.freeze({
      id,
      type,
      data,
      metadata: Object.freeze({ at, actor, device, causation, correlation, schema, chain, erasable }),
    });
  });
}

/** Whether the fact is, unchanged or lawfully erased, what was sealed behind the fact with the chain `previousChain`. */
export function verifyChain(previousChain: string | undefined, fact: NewFact): boolean {
  return chainOf(previousChain, fact.id, fact.type, fact.data, fact.metadata) === fact.metadata.chain;
}

/** The part of a fact's data that may be erased; undefined where there is none. */
export function tailOf({ data, metadata }: Pick<NewFact, 'data' | 'metadata'>): string | undefined {
  return metadata.erasable === undefined ? undefined : data.slice(metadata.erasable);
}

/**
 * The fact with another tail in the place of its own. What has that tail already is answered as it is. Throws NotErasable for a
 * fact without a tail, and RangeError where the data would not be JSON any more.
 */
export function eraseTail<F extends NewFact>(fact: F, tail: string): F {
  const before = tailOf(fact);
  if (before === undefined) throw new NotErasable(`a fact of type ${fact.type} has no part that can be erased`);
  if (before === tail) return fact;
  const data = fact.data.slice(0, fact.metadata.erasable) + tail;
  checkJson(fact.type, data);
  const erased = fact.metadata.erased ?? hash('sha256', before, 'hex');
  return Object.freeze({ ...fact, data, metadata: Object.freeze({ ...fact.metadata, erased }) });
}

function checkJson(type: string, data: string): void {
  try {
    JSON.parse(data);
  } catch {
    throw new RangeError(`a fact of type ${type} would not be JSON with that tail`);
  }
}

function chainOf(
  previous: string | undefined,
  id: string,
  type: string,
  data: string,
  metadata: Omit<FactMetadata, 'chain'>,
): string {
  const { schema, at, actor, device, causation, correlation, erasable, erased } = metadata;
  const head = erasable === undefined ? data : data.slice(0, erasable);
  const tail = erasable === undefined ? undefined : (erased ?? hash('sha256', data.slice(erasable), 'hex'));
  // JSON.stringify writes null for undefined inside an array.
  const line = JSON.stringify([DOMAIN, previous, id, type, schema, at, actor, device, causation, correlation, tail]);
  return hash('sha256', `${line}\n${head}`, 'hex');
}
