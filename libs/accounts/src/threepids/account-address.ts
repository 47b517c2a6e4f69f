import type { ExternalId } from '../facts/external-id-facts.js';

/**
 * The medium of accounts elsewhere, which are identifiers of people as their mail addresses are (2015, "Identity": "email addresses, social network accounts and phone
 * numbers"). The specification of today names none.
 */
export const ACCOUNT_MEDIUM = 'dev.annals.account';

const MOST = 1_200;

/** Such an account as an address: the id of the provider, a colon, and what that calls it for ever. */
export const accountAddress = ({ provider, subject }: ExternalId): string => `${provider}:${subject}`;

/** The account that an address is; undefined where it is none. */
export function findAccountAddress(text: string): ExternalId | undefined {
  const colon = text.indexOf(':');
  if (colon < 1 || colon === text.length - 1 || text.length > MOST) return undefined;
  return { provider: text.slice(0, colon), subject: text.slice(colon + 1) };
}
