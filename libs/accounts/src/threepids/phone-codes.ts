import type { UserId } from '#kernel/ids';
import type { ValidationPurpose } from './validation-links.js';

const ASKS: Readonly<Record<ValidationPurpose, string>> = {
  registration: 'a new account',
  addition: 'adding this number to an account',
  recovery: 'a new password',
  login: 'a log-in',
};

/** What a message to a phone says: short, for each 160 characters cost once more. */
export function codeText(serverName: string, purpose: ValidationPurpose, code: string): string {
  return `${code} is your code for ${ASKS[purpose]} on ${serverName}. Tell nobody. If you asked for nothing, do nothing.`;
}

/** Why there is no code: told to who has the number, and nobody else. */
export function refusalText(serverName: string, owner: UserId): string {
  return `Somebody wanted to use this number on ${serverName}. It belongs to the account ${owner} already.`;
}
