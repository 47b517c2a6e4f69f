import { Controller, HttpCode, Inject, Post, Req, Res, UseFilters, UseGuards } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RefreshSession } from '#accounts/commands/refresh-session';
import { RevokeToken } from '#accounts/commands/revoke-token';
import { hashSecret } from '#accounts/credentials/secrets';
import type { IssuedTokens } from '#accounts/sessions/issue-tokens';
import { CONFIG, type Config } from '#config/config';
import { type Form, readForm } from '#http/browser/read-form';
import { JsonBody } from '#http/json-body';
import { RateLimited } from '#http/rate-limited';
import type { JsonObject } from '#kernel/json';
import { MatrixError } from '#kernel/matrix-error';
import { ClientIds } from '../clients/client-ids.js';
import { type Client, GRANT_TYPES, type GrantType } from '../clients/client.js';
import { parseClientMetadata } from '../clients/parse-client-metadata.js';
import { RedeemGrant } from '../commands/redeem-grant.js';
import { parseScope } from '../decide/scope.js';
import { type DeviceCodes, DeviceRequests } from '../device-requests.js';
import { OAuthError } from '../oauth-error.js';
import { OAuthIsOn } from '../oauth-is-on.js';
import { ENDPOINTS, PAGES } from '../oauth-paths.js';
import { OAuthErrorFilter } from './oauth-error.filter.js';

/** RFC 6749, section 5.1. */
interface TokenAnswer {
  readonly access_token: string;
  readonly token_type: 'Bearer';
  readonly expires_in?: number;
  readonly refresh_token?: string;
  readonly scope?: string;
}

const [BY_CODE, BY_REFRESH, BY_DEVICE] = GRANT_TYPES;

/** What applications ask of the authorisation server by themselves (client-server API, "OAuth 2.0 API"). */
@UseGuards(OAuthIsOn)
@UseFilters(OAuthErrorFilter)
@RateLimited('default')
@Controller()
export class OAuthController {
  constructor(
    private readonly clients: ClientIds,
    private readonly grants: RedeemGrant,
    private readonly devices: DeviceRequests,
    private readonly commands: CommandBus,
    @Inject(CONFIG) private readonly config: Pick<Config, 'publicUrl'>,
  ) {}

  @HttpCode(201)
  @Post(ENDPOINTS.register)
  register(@JsonBody() body: JsonObject): { client_id: string } & Client {
    const client = parseClientMetadata(body);
    return { client_id: this.clients.of(client), ...client };
  }

  @HttpCode(200)
  @Post(ENDPOINTS.token)
  async token(@Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply): Promise<TokenAnswer> {
    void reply.header('cache-control', 'no-store').header('pragma', 'no-cache');
    const form = readForm(request);
    const type = required(form, 'grant_type');
    const clientId = required(form, 'client_id');
    if (type === BY_REFRESH) return this.#refresh(required(form, 'refresh_token'), clientId, request.id);
    if (type !== BY_CODE && type !== BY_DEVICE)
      throw new OAuthError('unsupported_grant_type', 'grant_type: not one that there is here');
    this.#getClient(clientId, type);
    const { tokens, scope } =
      type === BY_DEVICE
        ? await this.grants.byDevice(required(form, 'device_code'), clientId, request.id)
        : await this.grants.byCode(
            {
              clientId,
              code: required(form, 'code'),
              redirectUri: required(form, 'redirect_uri'),
              verifier: required(form, 'code_verifier'),
            },
            request.id,
          );
    return answerOf(tokens, scope);
  }

  @HttpCode(200)
  @Post(ENDPOINTS.revoke)
  async revoke(@Req() request: FastifyRequest): Promise<object> {
    // Whoever else has it may revoke it as well ("Token revocation"): who the client is makes no difference.
    await this.commands.execute(new RevokeToken(required(readForm(request), 'token'), request.id));
    return {};
  }

  @RateLimited('login')
  @HttpCode(200)
  @Post(ENDPOINTS.device)
  device(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): DeviceCodes & { verification_uri: string; verification_uri_complete: string } {
    void reply.header('cache-control', 'no-store');
    const form = readForm(request);
    const clientId = required(form, 'client_id');
    const client = this.#getClient(clientId, BY_DEVICE);
    const codes = this.devices.begin({ clientId, client, scope: parseScope(form.get('scope')) });
    const uri = this.config.publicUrl + PAGES.link;
    return { ...codes, verification_uri: uri, verification_uri_complete: `${uri}?user_code=${codes.user_code}` };
  }

  async #refresh(token: string, clientId: string, requestId: string): Promise<TokenAnswer> {
    try {
      const refreshed = await this.commands.execute(new RefreshSession(token, requestId, hashSecret(clientId)));
      return answerOf(refreshed, refreshed.scope);
    } catch (error) {
      // What may be otherwise later ends no session.
      if (!(error instanceof MatrixError) || error.status >= 500 || error.errcode === 'M_LIMIT_EXCEEDED') throw error;
      throw new OAuthError('invalid_grant', 'The refresh token is not valid, or not any more');
    }
  }

  #getClient(clientId: string, type: GrantType): Client {
    const client = this.clients.find(clientId);
    if (client === undefined) throw new OAuthError('invalid_client', 'client_id: not known here');
    if (!client.grant_types.includes(type))
      throw new OAuthError('unauthorized_client', 'The application has not registered for this grant');
    return client;
  }
}

function required(form: Form, name: string): string {
  const value = form.get(name);
  if (value === undefined || value === '') throw new OAuthError('invalid_request', `${name}: required`);
  return value;
}

function answerOf(tokens: IssuedTokens, scope: string | undefined): TokenAnswer {
  const { access_token, refresh_token, expires_in_ms: lifetime } = tokens;
  return {
    access_token,
    token_type: 'Bearer',
    ...(lifetime === undefined ? {} : { expires_in: Math.floor(lifetime / 1000) }),
    ...(refresh_token === undefined ? {} : { refresh_token }),
    ...(scope === undefined ? {} : { scope }),
  };
}
