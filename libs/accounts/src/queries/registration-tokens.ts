import type { Views } from '#projections/views';
import { hashSecret } from '../credentials/secrets.js';
import { isUsable } from '../decide/registration-token.js';
import { REGISTRATION_TOKENS, type RegistrationTokenRow } from '../projections/registration-tokens.projector.js';

/** By its hash a token is named whose text nobody kept. No token has a `sha256-` and 64 digits: it would be too long. */
const BY_HASH = /^sha256-([0-9a-f]{64})$/;

/** A registration token as operators see it. */
export interface ListedToken extends RegistrationTokenRow {
  /** Its text, or where that was not kept `sha256-` and its hash. */
  readonly name: string;
  /** Whether a registration with it would be let through now. */
  readonly isValid: boolean;
}

/** The hash of a token that an operator names. */
export function hashOfTokenName(name: string): string {
  return BY_HASH.exec(name)?.[1] ?? hashSecret(name);
}

/** The token that an operator names; undefined where there is none, or it was withdrawn. */
export async function findRegistrationToken(
  views: Pick<Views, 'get'>,
  name: string,
  now: number,
): Promise<ListedToken | undefined> {
  const hash = hashOfTokenName(name);
  const row = await REGISTRATION_TOKENS.get(views, [hash]);
  return row === undefined || row.revoked ? undefined : listedToken(hash, row, now);
}

/** All tokens that were not withdrawn, the oldest first. */
export async function listRegistrationTokens(views: Pick<Views, 'scan'>, now: number): Promise<ListedToken[]> {
  const tokens: ListedToken[] = [];
  for await (const rows of REGISTRATION_TOKENS.pages(views, {})) {
    for (const {
      key: [hash],
      value,
    } of rows)
      if (!value.revoked) tokens.push(listedToken(hash, value, now));
  }
  return oldestFirst(tokens);
}

/** In the order in which lists tell them. */
export function oldestFirst(tokens: readonly ListedToken[]): ListedToken[] {
  return tokens.toSorted((a, b) => a.created_ts - b.created_ts);
}

/** A token as lists tell it: by its text where the log has that, else by its hash. */
export function listedToken(hash: string, row: RegistrationTokenRow, now: number): ListedToken {
  return { ...row, name: row.token ?? `sha256-${hash}`, isValid: isUsable(row, now) };
}
