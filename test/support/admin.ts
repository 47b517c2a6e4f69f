import { createHmac } from 'node:crypto';
import type { Spoken } from './homeserver.js';

/** What a server is to have as ANNALS_REGISTRATION_SHARED_SECRET, so that administrators can be made. */
export const SHARED_SECRET = 'a shared secret';
const REGISTER = '/_synapse/admin/v1/register';

/** Makes an administrator, `@root`, and answers their access token. */
export async function registerAdmin(server: Spoken): Promise<string> {
  const { nonce } = (await server.request('GET', REGISTER)).body;
  const mac = createHmac('sha1', SHARED_SECRET).update([nonce, 'root', 'a password', 'admin'].join('\0')).digest('hex');
  const body = { nonce, username: 'root', password: 'a password', admin: true, mac };
  return (await server.request('POST', REGISTER, { body })).body.access_token;
}
