import type { Config } from '#config/config';
import { OFFERED_ACTIONS } from './account-actions.js';
import { GRANT_TYPES } from './clients/client.js';
import { ENDPOINTS, PAGES } from './oauth-paths.js';

/** By what the authorisation server calls itself (RFC 8414; in answers RFC 9207). */
export const issuerOf = (publicUrl: string): string => `${publicUrl}/`;

/** What applications have to know of the authorisation server: client-server API, "Server metadata discovery"; RFC 8414. */
export function serverMetadata({ publicUrl, registration }: Pick<Config, 'publicUrl' | 'registration'>): object {
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
    // Applications show by it whether people get an account here ("User registration").
    ...(registration === 'closed' ? {} : { prompt_values_supported: ['create'] }),
    authorization_response_iss_parameter_supported: true,
    account_management_uri: at(PAGES.account),
    account_management_actions_supported: OFFERED_ACTIONS,
  };
}
