import { hash } from 'node:crypto';
import type { ExternalId } from '#accounts/facts/external-id-facts';
import { fillTemplate, valueAt } from '#config/sso/template';
import type { UpstreamProvider } from '#config/sso/upstream-provider';
import { MatrixError } from '#kernel/matrix-error';
import { localpartOfName } from './localpart-of.js';

/** Somebody who has shown who they are elsewhere, and what is known of them there. */
export interface Outsider {
  readonly id: ExternalId;
  /** A localpart. */
  readonly userName?: string;
  /** The hash of what their session there is called. */
  readonly sidHash?: string;
  readonly displayName?: string;
  /** A mail address that is theirs. */
  readonly email?: string;
  /** A phone number that is, as it is dialled from anywhere. */
  readonly phone?: string;
  /** Undefined where nothing is known of them. */
  readonly groups?: readonly string[];
}

/** Every member event of theirs says it. */
export const MOST_NAME = 128;
const MOST_SUBJECT_BYTES = 1024;

/** Whom the claims of a provider tell of. Throws M_UNKNOWN with status 502 where they name nobody. */
export function outsiderOf(provider: UpstreamProvider, claims: Readonly<Record<string, unknown>>): Outsider {
  const { claims: mapping, rules } = provider;
  const subject = fillTemplate(mapping.subject, claims);
  if (subject === undefined || Buffer.byteLength(subject) > MOST_SUBJECT_BYTES) {
    throw new MatrixError('M_UNKNOWN', `${provider.name} does not say who you are`, { status: 502 });
  }
  const find = (template: typeof mapping.email): string | undefined =>
    template === undefined ? undefined : fillTemplate(template, claims);
  const userName = find(mapping.userName);
  const displayName = find(mapping.displayName);
  const email = isTrue(claims['email_verified']) ? find(mapping.email) : undefined;
  const phone = isTrue(claims['phone_number_verified']) ? find(mapping.phone) : undefined;
  const groups = mapping.groups === undefined ? undefined : textsOf(valueAt(claims, mapping.groups));
  return {
    id: { provider: provider.id, subject },
    ...(typeof claims['sid'] === 'string' ? { sidHash: hash('sha256', claims['sid'], 'hex') } : {}),
    ...(userName === undefined ? {} : { userName: localpartOfName(userName) }),
    ...(displayName === undefined ? {} : { displayName: [...displayName].slice(0, MOST_NAME).join('') }),
    ...(email === undefined ? {} : { email }),
    ...(phone === undefined ? {} : { phone }),
    // Only those by which something follows: the rest is nobody's business.
    ...(groups === undefined ? {} : { groups: groups.filter((group) => countsIn(rules, group)) }),
  };
}

/** Apple and Amazon Cognito say it as a text. */
const isTrue = (claim: unknown): boolean => claim === true || claim === 'true';

function countsIn({ adminGroups, roomsOfGroups }: UpstreamProvider['rules'], group: string): boolean {
  return adminGroups?.includes(group) === true || roomsOfGroups.has(group);
}

/** Who is in no group may have no claim. */
function textsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}
