import { randomUUID } from 'node:crypto';

/*
 * What the collections of the views are called in the database. Views that were thrown away have had one life, and those made in their
 * place have another: each has collections of its own, for a process that does not know it yet may still send what it had begun, its
 * checkpoint too. Nobody reads that, and whoever has the lease drops it.
 */

const LIFE = /^[0-9a-f]{12}$/;
const NAME = /^(.*)~([0-9a-f]{12})(\.parts)?$/;

/** A name that no other views bear. */
export function newLife(): string {
  return randomUUID().slice(-12);
}

/** Whether views of this name are kept in collections that bear it. */
export function hasOwnCollections(life: string | undefined): boolean {
  return life !== undefined && LIFE.test(life);
}

/** What a collection is called in the database. */
export function nameIn(life: string | undefined, collection: string): string {
  return `${collection}~${life}`;
}

/** Which collection of some life it is; undefined where it is of another, or holds parts of values. */
export function collectionOf(name: string, life: string | undefined): string | undefined {
  const [, collection, of, parts] = NAME.exec(name) ?? [];
  return of === life && parts === undefined ? collection : undefined;
}

/** Whose life it is of; undefined where it is of no views. */
export function lifeOf(name: string): string | undefined {
  return NAME.exec(name)?.[2];
}

/** As it is told to people. */
export function plainName(name: string): string {
  const [, collection, , parts = ''] = NAME.exec(name) ?? [];
  return collection === undefined ? name : collection + parts;
}
