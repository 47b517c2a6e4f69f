import { GRANT_TYPES } from './clients/client.js';
import { ENDPOINTS, PAGES } from './oauth-paths.js';

/** What the account page can be asked for: client-server API, "Account management URL actions". */
export const ACCOUNT_ACTIONS = Object.freeze([
  'org.matrix.profile',
  'org.matrix.devices_list',
  'org.matrix.device_view',
  'org.matrix.device_delete',
  'org.matrix.account_deactivate',
  'org.matrix.cross_signing_reset',
] as const);
export type AccountAction = (typeof ACCOUNT_ACTIONS)[number];

/** By what those of them were called before, which clients still ask for (MSC4191). */
export const OLD_ACTIONS: Readonly<Record<string, AccountAction>> = {
  'org.matrix.sessions_list': 'org.matrix.devices_list',
  'org.matrix.session_view': 'org.matrix.device_view',
  'org.matrix.session_end': 'org.matrix.device_delete',
};

/** By what the authorisation server calls itself (RFC 8414; in answers RFC 9207). */
export const issuerOf = (publicUrl: string): string => `${publicUrl}/`;

/** What applications have to know of the authorisation server: client-server API, "Server metadata discovery"; RFC 8414. */
export function serverMetadata(publicUrl: string): object {
  const at = (path: string): string => publicUrl + path;
  return {
    issuer: issuerOf(publicUrl),
    authorization_endpoint: at(PAGES.authorise),
    token_endpoint: at(ENDPOINTS.token),
    revocation_endpoint: at(ENDPOINTS.revoke),
    registration_endpoint: at(ENDPOINTS.register),
    device_authorization_endpoint: at(ENDPOINTS.device),
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'fragment'],
    grant_types_supported: GRANT_TYPES,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    scopes_supported: ['urn:matrix:client:api:*'],
    prompt_values_supported: ['create'],
    authorization_response_iss_parameter_supported: true,
    account_management_uri: at(PAGES.account),
    account_management_actions_supported: [...ACCOUNT_ACTIONS, ...Object.keys(OLD_ACTIONS)],
  };
}
