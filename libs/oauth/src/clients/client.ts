/** An application as it describes itself: client-server API, "Client metadata". All of it is its own word but the form. */
export interface Client {
  readonly client_uri: string;
  readonly client_name?: string;
  readonly logo_uri?: string;
  readonly tos_uri?: string;
  readonly policy_uri?: string;
  readonly redirect_uris: readonly string[];
  readonly response_types: readonly string[];
  readonly grant_types: readonly GrantType[];
  readonly application_type: 'web' | 'native';
  readonly token_endpoint_auth_method: 'none';
}

export const GRANT_TYPES = [
  'authorization_code',
  'refresh_token',
  'urn:ietf:params:oauth:grant-type:device_code',
] as const;
export type GrantType = (typeof GRANT_TYPES)[number];

/** How the application calls itself, or where it says it is at home. */
export function nameOfClient({
  client_name: name,
  client_uri: uri,
}: Pick<Client, 'client_name' | 'client_uri'>): string {
  return name ?? new URL(uri).hostname;
}
