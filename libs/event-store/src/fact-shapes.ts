import type { NewFact } from './event-store.js';

/** What a fact says, and where the part begins that may be erased (FactMetadata). */
export interface FactBody {
  readonly data: string;
  readonly erasable?: number;
}

/** Brings what a fact says from the shape of one schema to that of the next. Pure. Nothing of it is written to the log. */
export type Upcast = (before: FactBody) => FactBody;

/**
 * The types of facts that are written today, each with what leads from its first schema to the second, from there to the third, and
 * so on. So the newest schema of a type is one more than it has of these.
 */
export type FactShapes = Readonly<Record<string, readonly Upcast[]>>;

/** A fact of a schema that is not known here: a newer Annals wrote it. What it means must not be guessed. */
export class UnknownSchema extends Error {
  constructor({ type, metadata: { schema } }: NewFact, newest: number) {
    super(
      `a fact "${type}" of schema ${schema} is in the log, and schemas up to ${newest} are known: go on with a newer Annals`,
    );
    this.name = 'UnknownSchema';
  }
}

/** The schema that facts of this type are written in; undefined where none are. */
export function newestSchema(type: string, shapes: FactShapes): number | undefined {
  return Object.hasOwn(shapes, type) ? shapes[type]!.length + 1 : undefined;
}

/**
 * The fact as today's readers know its type; what is in today's shape, or of a type that nobody reads any more, is answered as it
 * is. Its chain is that of the fact as it was written. Throws UnknownSchema.
 */
export function inTodaysShape<F extends NewFact>(fact: F, shapes: FactShapes): F {
  const { schema } = fact.metadata;
  const newest = newestSchema(fact.type, shapes);
  if (newest === undefined || schema === newest) return fact;
  if (!(schema >= 1 && schema < newest)) throw new UnknownSchema(fact, newest);
  let body: FactBody = { data: fact.data, erasable: fact.metadata.erasable };
  for (const upcast of shapes[fact.type]!.slice(schema - 1)) body = upcast(body);
  return { ...fact, data: body.data, metadata: { ...fact.metadata, schema: newest, erasable: body.erasable } };
}
