import { isSameThreepid, type Threepid } from '#accounts/threepids/threepid';
import type { ServerName } from '#kernel/ids';
import { type IdentityFact, readIdentityFact } from '../facts/identity-facts.js';

/** That an identity server knows an identifier as a user's. */
export interface Binding {
  readonly server: ServerName;
  readonly of: Threepid;
}

/** All that a user has, by their ids. */
export type KnownBindings = ReadonlyMap<string, Binding>;

export const NO_BINDINGS: KnownBindings = new Map<string, Binding>();

/** Where a user made addresses known, as of a fact of their stream. */
export function foldBinding(
  known: KnownBindings,
  fact: { readonly type: string; readonly data: string },
): KnownBindings {
  const { type, data } = readIdentityFact(fact);
  if (type !== 'binding-noted' && type !== 'binding-ended') return known;
  const after = new Map(known);
  after.delete(data.binding_id);
  // What was erased since was ended, too.
  if (type === 'binding-noted' && data.of !== null) after.set(data.binding_id, { server: data.id_server, of: data.of });
  return after;
}

/** The bindings of an identifier, of all unless told, with all servers unless told, by their ids. */
export function listBindings(
  known: KnownBindings,
  { of, server }: { readonly of?: Threepid; readonly server?: ServerName },
): [id: string, Binding][] {
  return [...known].filter(
    ([, binding]) =>
      (of === undefined || isSameThreepid(binding.of, of)) && (server === undefined || binding.server === server),
  );
}

/** It is known there; nothing where that is noted already. */
export function decideBinding(known: KnownBindings, id: string, { of, server }: Binding): IdentityFact[] {
  if (listBindings(known, { of, server }).length > 0) return [];
  return [{ type: 'binding-noted', data: { binding_id: id, id_server: server, of } }];
}

/** It is known there no more. */
export function decideBindingEnd(known: KnownBindings, { of, server }: Binding): IdentityFact[] {
  return listBindings(known, { of, server }).map(([id]) => ({
    type: 'binding-ended',
    data: { binding_id: id },
  }));
}
