import type { Operation } from '../interactive-auth/auth-sessions.js';

/** What operations are, in the words of whoever is asked for them: by the beginning of their name. */
const OPERATIONS: readonly (readonly [name: string, words: string])[] = [
  ['POST /account/password', 'change the password of your account'],
  ['POST /account/deactivate', 'close your account'],
  ['POST /account/3pid', 'change the addresses of your account'],
  ['DELETE /devices', 'remove a device from your account'],
  ['POST /delete_devices', 'remove devices from your account'],
  ['POST /keys/device_signing', 'replace the keys by which others recognise you'],
  ['POST /login/get_token', 'log another device in to your account'],
  ['POST /api/v1/login', 'log in to your account'],
];

export const wordsForOperation = (operation: string): string =>
  OPERATIONS.find(([name]) => operation.startsWith(name))?.[1] ?? 'change something about your account';

/** Whoever was led to a page by a link alone, of somebody else, reads there what it is for. `what`: HTML. */
export const askedFor = (what: string): string => `<p>An application wants to ${what}.</p>
<p>If you did not ask for this in your application just now, somebody else did: close this page.</p>
`;

/** The same of a page of a stage of a registration. What is gone through in one browser was begun there. `by`: what somebody gives for it. */
export const askedForAccount = ({ purpose, isOfBrowser }: Operation, by: string): string =>
  purpose !== 'registration' || isOfBrowser === true ? '' : askedFor(`create an account with ${by}`);
