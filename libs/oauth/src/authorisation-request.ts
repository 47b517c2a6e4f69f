import type { Query } from '#http/query';
import { type Client } from './clients/client.js';
import type { ClientIds } from './clients/client-ids.js';
import { isRegistered } from './clients/redirect-uris.js';
import { parseScope, type Scope } from './decide/scope.js';
import { OAuthError, type OAuthErrorCode } from './oauth-error.js';

/** Where an application is answered, and how. */
export interface ReturnAddress {
  readonly redirectUri: string;
  readonly responseMode: 'query' | 'fragment';
  readonly state: string | undefined;
}

/** What an application asks of a user by way of their browser: client-server API, "Authorisation request". */
export interface AuthorisationRequest extends ReturnAddress {
  readonly clientId: string;
  readonly client: Client;
  readonly scope: Scope;
  /** RFC 7636, S256. */
  readonly challenge: string;
  readonly prompt: string | undefined;
}

/** A refusal that the application is told, for it is known that the address is its own. */
export class RefusedRequest extends Error {
  constructor(
    readonly address: ReturnAddress,
    readonly code: OAuthErrorCode,
    readonly description: string,
  ) {
    super(description);
    this.name = 'RefusedRequest';
  }
}

/** base64url of a sha256. */
const CHALLENGE = /^[\w-]{43}$/;
const MOST_STATE = 2_048;

/**
 * Reads the query of the authorisation endpoint. Throws OAuthError, for the person to see, while it is not known that the application has
 * the address that it names (RFC 6749, section 4.1.2.1); from then on RefusedRequest.
 */
export function parseAuthorisationRequest(query: Query, clients: Pick<ClientIds, 'find'>): AuthorisationRequest {
  const clientId = required(query, 'client_id');
  const client = clients.find(clientId);
  if (client === undefined)
    throw new OAuthError('invalid_client', 'The application is not known here: begin again in it');
  const redirectUri = required(query, 'redirect_uri');
  if (!isRegistered(client.redirect_uris, redirectUri))
    throw new OAuthError('invalid_request', 'redirect_uri: not one that the application has registered');
  const mode = textOf(query, 'response_mode') ?? 'query';
  const state = textOf(query, 'state');
  const address = { redirectUri, responseMode: mode === 'fragment' ? mode : 'query', state } as const;
  try {
    return { ...address, clientId, client, ...readRest(query, client, mode) };
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    throw new RefusedRequest(address, error.code, error.description);
  }
}

function readRest(
  query: Query,
  client: Client,
  mode: string,
): Pick<AuthorisationRequest, 'scope' | 'challenge' | 'prompt'> {
  if (mode !== 'query' && mode !== 'fragment')
    throw new OAuthError('invalid_request', 'response_mode: query or fragment');
  if ((textOf(query, 'state') ?? '').length > MOST_STATE) throw new OAuthError('invalid_request', 'state: too long');
  if (required(query, 'response_type') !== 'code')
    throw new OAuthError('unsupported_response_type', 'response_type: must be code');
  if (!client.grant_types.includes('authorization_code') || client.response_types.length === 0)
    throw new OAuthError('unauthorized_client', 'The application has not registered for this grant');
  if (textOf(query, 'code_challenge_method') !== 'S256')
    throw new OAuthError('invalid_request', 'code_challenge_method: must be S256');
  const challenge = required(query, 'code_challenge');
  if (!CHALLENGE.test(challenge)) throw new OAuthError('invalid_request', 'code_challenge: not a sha256 in base64url');
  for (const name of ['request', 'request_uri'])
    if (textOf(query, name) !== undefined) throw new OAuthError('invalid_request', `${name}: not supported`);
  const prompt = textOf(query, 'prompt');
  // Who lets an application in is always asked.
  if (prompt === 'none') throw new OAuthError('interaction_required', 'prompt: the user has to be asked');
  return { scope: parseScope(textOf(query, 'scope')), challenge, prompt };
}

function required(query: Query, name: string): string {
  const text = textOf(query, name);
  if (text === undefined) throw new OAuthError('invalid_request', `${name}: required`);
  return text;
}

/** RFC 6749, section 3.1: a parameter without a value is none, and none comes twice. */
function textOf(query: Query, name: string): string | undefined {
  const value = query[name];
  if (value === undefined || typeof value === 'string') return value || undefined;
  throw new OAuthError('invalid_request', `${name}: given more than once`);
}
