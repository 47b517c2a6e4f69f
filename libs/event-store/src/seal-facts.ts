import { hash } from 'node:crypto';
import type { FactMetadata, NewFact } from './event-store.js';

/** A fact as a decider makes it. `data` is JSON text; `schema` is the version of its shape, 1 where it is left out. */
export interface FactDraft {
  readonly id: string;
  readonly type: string;
  readonly data: string;
  readonly schema?: number;
  readonly causation?: string;
}

/** A fact with all that surrounds it but its link to the fact before it. */
export interface UnsealedFact extends FactDraft {
  readonly at: number;
  readonly actor: string;
  readonly device?: string;
  readonly correlation?: string;
}

/** The first item of what is hashed: no other use of sha256 in Annals begins with it. */
const DOMAIN = 'annals-fact-1';

/**
 * Links facts to the last fact of their stream (its chain; undefined for a new stream) and to each other, in order.
 *
 * A fact's chain is the sha256, in lower-case hex, of the UTF-8 of one line of JSON, a line feed, and the fact's data byte
 * for byte. The line is an array written without white space, as ECMAScript's JSON.stringify writes it (only `"`, `\` and
 * control characters are escaped), and null stands for what is not there:
 *
 *     ["annals-fact-1", chain of the fact before or null, id, type, schema, at, actor, device, causation, correlation]
 *
 * So each chain covers everything in its stream up to and including its fact.
 */
export function sealFacts(previousChain: string | undefined, facts: readonly UnsealedFact[]): NewFact[] {
  let previous = previousChain;
  return facts.map((fact) => {
    const { id, type, data, at, actor, device, causation, correlation, schema = 1 } = fact;
    const chain = chainOf(previous, id, type, data, { at, actor, device, causation, correlation, schema });
    previous = chain;
    return Object.freeze({
      id,
      type,
      data,
      metadata: Object.freeze({ at, actor, device, causation, correlation, schema, chain }),
    });
  });
}

/** Whether the fact is, unchanged, what was sealed behind the fact with the chain `previousChain`. */
export function verifyChain(previousChain: string | undefined, fact: NewFact): boolean {
  return chainOf(previousChain, fact.id, fact.type, fact.data, fact.metadata) === fact.metadata.chain;
}

function chainOf(
  previous: string | undefined,
  id: string,
  type: string,
  data: string,
  metadata: Omit<FactMetadata, 'chain'>,
): string {
  const { schema, at, actor, device, causation, correlation } = metadata;
  // JSON.stringify writes null for undefined inside an array.
  const line = JSON.stringify([DOMAIN, previous, id, type, schema, at, actor, device, causation, correlation]);
  return hash('sha256', `${line}\n${data}`, 'hex');
}
