import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Config } from '#config/config';
import { messageOf } from '#kernel/message-of';
import { moment } from '../terminal/units.js';
import { type Check, fail, ok, warn } from './check.js';

const LOCAL = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|::1)(:\d+)?$/;

/** `known`: the server whose users the log has, if it has any. */
export function checkServerName({ serverName }: Pick<Config, 'serverName'>, known: string | undefined): Check {
  if (known !== undefined && known !== serverName) {
    const advice = `set ANNALS_SERVER_NAME to ${known}, or name the right data folder`;
    return fail('server name', `${serverName}, but the log is that of ${known}`, advice);
  }
  if (LOCAL.test(serverName)) {
    const advice =
      'for more than trying it out set ANNALS_SERVER_NAME before there are users: it cannot be changed later';
    return warn('server name', serverName, advice);
  }
  return ok('server name', serverName);
}

/** What clients are told, and what they find there. */
export function checkPublicUrl({ publicUrl, serverName }: Pick<Config, 'publicUrl' | 'serverName'>): Check {
  const { protocol, host } = new URL(publicUrl);
  const isLocal = LOCAL.test(host);
  if (isLocal && !LOCAL.test(serverName)) {
    return warn('public URL', publicUrl, 'clients on other machines cannot reach it: set ANNALS_PUBLIC_URL');
  }
  if (protocol === 'http:' && !isLocal) {
    return warn('public URL', publicUrl, 'without TLS passwords travel in the clear: set an https URL, behind a proxy');
  }
  return ok('public URL', publicUrl);
}

/** Settings that are for trying out only. */
export function checkOpenness({ registration, rateLimits }: Pick<Config, 'registration' | 'rateLimits'>): Check[] {
  const checks: Check[] = [];
  if (registration === 'open') {
    checks.push(
      warn('registration', 'open to everybody', 'set ANNALS_REGISTRATION to token or closed, or be watchful'),
    );
  } else checks.push(ok('registration', registration));
  if (!rateLimits)
    checks.push(warn('rate limits', 'off', 'set ANNALS_RATE_LIMITS=on: passwords can be guessed without end'));
  return checks;
}

const SOON_MS = 14 * 24 * 3600 * 1000;

/** The certificate other servers are shown; nothing where none is configured. */
export function checkCertificate({ tlsCert }: Pick<Config, 'tlsCert'>, now: number): Check[] {
  if (tlsCert === undefined) return [];
  try {
    const { validTo } = new X509Certificate(readFileSync(tlsCert));
    const end = Date.parse(validTo);
    const text = `${tlsCert} is valid until ${moment(end)}`;
    if (end < now) return [fail('certificate', text, 'renew it: no other server talks to this one')];
    return [end - now < SOON_MS ? warn('certificate', text, 'renew it') : ok('certificate', text)];
  } catch (error) {
    return [fail('certificate', `${tlsCert}: ${messageOf(error)}`, 'name a PEM file that can be read')];
  }
}
