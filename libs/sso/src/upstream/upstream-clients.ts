import { Inject, Injectable } from '@nestjs/common';
import type { Configuration, ServerMetadata } from 'openid-client';
import { CONFIG, type Config } from '#config/config';
import type { UpstreamProvider } from '#config/sso/upstream-provider';
import { Outgoing } from '#http/outgoing/outgoing';
import { CLOCK, type Stopwatch } from '#kernel/clock';
import { MatrixError } from '#kernel/matrix-error';
import { LOGGER, type Logger } from '#observability/logger';
import { SSO_PATH } from '../sso-path.js';
import { UpstreamProviders } from '../upstream-providers.js';
import { checkShownAnew } from './check-shown-anew.js';
import { MOST_SKEW_SECONDS } from './most-skew.js';
import { outgoingFetch } from './outgoing-fetch.js';
import { providerFailure } from './provider-failure.js';

type OpenIdClient = typeof import('openid-client');

/** What binds an answer of a provider to its question. */
export interface Secrets {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE. */
  readonly verifier: string;
}

/** What somebody is asked for besides who they are. */
export interface Asking {
  /** They have to show it again, though the provider knows them: since when, in milliseconds since the epoch. */
  readonly anewSince?: number;
  /** They want an account, also at the provider. */
  readonly registers?: boolean;
}

interface Known {
  readonly configuration: Promise<Configuration>;
  readonly at: number;
}

/** What a provider says of itself is believed for so long. Its keys are asked for anew as they are needed. */
const KNOWN_MS = 60 * 60 * 1000;

/**
 * This server as the client of its providers (OpenID Connect Core, "Authorization Code Flow", with PKCE). What a provider says of itself
 * is asked for when somebody first comes to it: no start waits for that.
 */
@Injectable()
export class UpstreamClients {
  readonly #known = new Map<string, Known>();

  constructor(
    readonly providers: UpstreamProviders,
    private readonly outgoing: Outgoing,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
    @Inject(CLOCK) private readonly stopwatch: Stopwatch,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Where a provider is to send people back to: what is registered there. */
  #callbackOf({ id }: UpstreamProvider): string {
    return `${this.config.publicUrl}/${SSO_PATH}/callback/${id}`;
  }

  /** What a provider says of itself. Throws as `authorisationUrl`. */
  metadataOf(provider: UpstreamProvider): Promise<Readonly<ServerMetadata>> {
    return this.#asking(provider, async (_, configuration) => configuration.serverMetadata());
  }

  /** Where somebody shows who they are. Throws M_UNKNOWN with status 502 where the provider does not answer. */
  async authorisationUrl(provider: UpstreamProvider, secrets: Secrets, asking: Asking): Promise<URL> {
    return this.#asking(provider, async (client, configuration) => {
      const { prompt_values_supported: prompts } = configuration.serverMetadata();
      const creates = asking.registers === true && Array.isArray(prompts) && prompts.includes('create');
      return client.buildAuthorizationUrl(configuration, {
        redirect_uri: this.#callbackOf(provider),
        response_type: 'code',
        scope: provider.scopes.join(' '),
        state: secrets.state,
        nonce: secrets.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(secrets.verifier),
        code_challenge_method: 'S256',
        ...(asking.anewSince !== undefined ? { prompt: 'login', max_age: '0' } : creates ? { prompt: 'create' } : {}),
      });
    });
  }

  /**
   * What a provider says of whom it sent back, `query` being what it said by the browser: the claims of the ID token, and above them those
   * of its userinfo endpoint. Throws M_FORBIDDEN where it says no, or they have not shown it anew since `anewSince`; M_UNKNOWN with status 502 where what it says cannot be believed.
   */
  async claimsOf(
    provider: UpstreamProvider,
    query: URLSearchParams,
    secrets: Secrets,
    anewSince?: number,
  ): Promise<Readonly<Record<string, unknown>>> {
    const refusal = query.get('error');
    if (refusal !== null) {
      const code = /^[a-z_]{1,40}$/.test(refusal) ? refusal : 'an unknown error';
      throw new MatrixError('M_FORBIDDEN', `${provider.name} did not log you in: ${code}`);
    }
    return this.#asking(provider, async (client, configuration) => {
      const back = new URL(`${this.#callbackOf(provider)}?${query.toString()}`);
      const tokens = await client.authorizationCodeGrant(configuration, back, {
        expectedState: secrets.state,
        expectedNonce: secrets.nonce,
        pkceCodeVerifier: secrets.verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new Error('there is no ID token');
      if (anewSince !== undefined) checkShownAnew(provider, claims, anewSince);
      const isAsked = provider.asksUserInfo && configuration.serverMetadata().userinfo_endpoint !== undefined;
      if (!isAsked) return claims;
      // Its subject has to be that of the ID token.
      return { ...claims, ...(await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)) };
    });
  }

  async #asking<T>(
    provider: UpstreamProvider,
    ask: (client: OpenIdClient, configuration: Configuration) => Promise<T>,
  ): Promise<T> {
    try {
      // PERF: loaded where somebody comes by a provider, and not at each start.
      const client = await import('openid-client');
      return await ask(client, await this.#configurationOf(client, provider));
    } catch (error) {
      if (error instanceof MatrixError) throw error;
      const reason = providerFailure(error);
      this.logger.warn({ context: 'sso', provider: provider.id }, `A provider did not say who somebody is: ${reason}`);
      throw new MatrixError('M_UNKNOWN', `${provider.name} does not answer as it must`, { status: 502 });
    }
  }

  #configurationOf(client: OpenIdClient, provider: UpstreamProvider): Promise<Configuration> {
    const known = this.#known.get(provider.id);
    if (known !== undefined && this.stopwatch.elapsed() - known.at < KNOWN_MS) return known.configuration;
    const configuration = this.#configure(client, provider);
    this.#known.set(provider.id, { configuration, at: this.stopwatch.elapsed() });
    configuration.catch(() => this.#known.delete(provider.id));
    return configuration;
  }

  async #configure(client: OpenIdClient, provider: UpstreamProvider): Promise<Configuration> {
    const { issuer, clientId, clientSecret, clientAuth, endpoints } = provider;
    const authentication = {
      basic: () => client.ClientSecretBasic(clientSecret),
      post: () => client.ClientSecretPost(clientSecret),
      none: () => client.None(),
    }[clientAuth]();
    // Only of this machine: see `readUpstreamProviders`.
    const insecure = new URL(issuer).protocol === 'http:' ? [client.allowInsecureRequests] : [];
    const asks = outgoingFetch(this.outgoing);
    const ofClient = { client_secret: clientSecret, [client.clockTolerance]: MOST_SKEW_SECONDS };
    if (endpoints === undefined) {
      const options = { execute: insecure, [client.customFetch]: asks };
      return client.discovery(new URL(issuer), clientId, ofClient, authentication, options);
    }
    const metadata = {
      issuer,
      authorization_endpoint: endpoints.authorization,
      token_endpoint: endpoints.token,
      jwks_uri: endpoints.jwks,
      ...(endpoints.userinfo === undefined ? {} : { userinfo_endpoint: endpoints.userinfo }),
    };
    const configuration = new client.Configuration(metadata, clientId, ofClient, authentication);
    configuration[client.customFetch] = asks;
    for (const allow of insecure) allow(configuration);
    return configuration;
  }
}
