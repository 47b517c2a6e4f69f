import { isDeepStrictEqual } from 'node:util';
import type { ServerName } from '#kernel/ids';
import {
  type IdentityFact,
  type IdentityReader,
  type IdentityTokenIssued,
  type MasterKey,
  readIdentityFact,
} from '../facts/identity-facts.js';

/** Who uses the identity server: the tokens that hold, the oldest first, the URLs of accepted terms, who may find them, and the key that is told then. */
export interface IdentityAccount {
  readonly tokens: readonly string[];
  readonly accepted: readonly string[];
  /** Absent: everybody. */
  readonly readers?: readonly IdentityReader[];
  /** By other identity servers, where it is not everybody. */
  readonly readersElsewhere?: Readonly<Record<ServerName, readonly IdentityReader[]>>;
  readonly masterKey?: MasterKey;
}

export const NO_IDENTITY_ACCOUNT: IdentityAccount = Object.freeze({
  tokens: [],
  accepted: [],
});

/** Clients register anew now and then and forget what they had. */
const MOST_TOKENS = 50;
const MOST_URLS = 100;

/** What the identity server knows of a user, as of a fact of their stream. */
export function foldIdentityAccount(
  account: IdentityAccount,
  fact: { readonly type: string; readonly data: string },
): IdentityAccount {
  const { type, data } = readIdentityFact(fact);
  switch (type) {
    case 'identity-token-issued':
      return {
        ...account,
        tokens: [...account.tokens.filter((one) => one !== data.token_hash), data.token_hash],
      };
    case 'identity-token-ended':
      return {
        ...account,
        tokens: account.tokens.filter((one) => one !== data.token_hash),
      };
    case 'identity-terms-accepted':
      return { ...account, accepted: data.urls };
    case 'identity-readers-set':
      return { ...account, readers: data.readers };
    case 'identity-readers-learnt':
      return { ...account, readersElsewhere: { ...account.readersElsewhere, [data.by]: data.readers } };
    case 'identity-key-published':
      return { ...account, masterKey: data.master_key ?? undefined };
    default:
      return account;
  }
}

/** One more token; the oldest ends where there are too many. */
export function decideToken({ tokens }: IdentityAccount, issued: IdentityTokenIssued): IdentityFact[] {
  const over = tokens.slice(0, Math.max(0, tokens.length + 1 - MOST_TOKENS));
  return [
    ...over.map((one) => ({ type: 'identity-token-ended', data: { token_hash: one } }) as const),
    { type: 'identity-token-issued', data: issued },
  ];
}

/** Nothing where it holds no more. */
export function decideTokenEnd({ tokens }: IdentityAccount, tokenHash: string): IdentityFact[] {
  return tokens.includes(tokenHash) ? [{ type: 'identity-token-ended', data: { token_hash: tokenHash } }] : [];
}

/**
 * None of their tokens holds any more, and their key is told to nobody. Where they named people who may find them nobody may: whom they named is told to other
 * identity servers no more.
 */
export function decideAccountEnd({ tokens, masterKey, readers = [] }: IdentityAccount): IdentityFact[] {
  const namesSomebody = readers.some((reader) => reader !== 'everybody' && reader !== 'contacts');
  return [
    ...tokens.map((one) => ({ type: 'identity-token-ended', data: { token_hash: one } }) as const),
    ...decideKey({ masterKey }, undefined),
    ...(namesSomebody ? decideIdentityReaders({ readers }, []) : []),
  ];
}

/** Who may find them. Nothing where it is so already. */
export function decideIdentityReaders(
  { readers: before = ['everybody'] }: Pick<IdentityAccount, 'readers'>,
  readers: readonly IdentityReader[],
): IdentityFact[] {
  return isDeepStrictEqual(before, readers) ? [] : [{ type: 'identity-readers-set', data: { readers } }];
}

/** Who may find them by what they said to another identity server. Nothing where that is known. */
export function decideReadersLearnt(
  { readersElsewhere }: IdentityAccount,
  by: ServerName,
  readers: readonly IdentityReader[],
): IdentityFact[] {
  const before = readersElsewhere?.[by] ?? ['everybody'];
  return isDeepStrictEqual(before, readers) ? [] : [{ type: 'identity-readers-learnt', data: { by, readers } }];
}

/** The key that is told of them; undefined: none. Nothing where it is so already. */
export function decideKey(
  { masterKey: before }: Pick<IdentityAccount, 'masterKey'>,
  masterKey: MasterKey | undefined,
): IdentityFact[] {
  if (isDeepStrictEqual(before, masterKey)) return [];
  return [{ type: 'identity-key-published', data: { master_key: masterKey ?? null } }];
}

/** Some more terms are accepted; of too many those that were accepted first are forgotten. */
export function decideAcceptance({ accepted }: IdentityAccount, urls: readonly string[]): IdentityFact[] {
  const all = [...new Set([...accepted, ...urls])].slice(-MOST_URLS);
  return urls.every((url) => accepted.includes(url)) ? [] : [{ type: 'identity-terms-accepted', data: { urls: all } }];
}
