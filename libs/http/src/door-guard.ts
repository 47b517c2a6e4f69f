import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { AppService } from '#config/appservices/app-service';
import { AppServices } from '#config/appservices/app-services';
import type { RateLimitClass } from '#config/rate-limits';
import { parseDeviceId, parseUserId, serverNameOf } from '#kernel/ids';
import { MatrixError } from '#kernel/matrix-error';
import { refuseSuspended } from '#kernel/refuse-suspended';
import type { Requester } from '#kernel/requester';
import { userLocked } from '#kernel/user-locked';
import { ACCESS_TOKENS, type AccessTokens } from './access-tokens.js';
import { findAccessToken } from './find-access-token.js';
import { isByService } from './find-app-service.js';
import { OpenSession } from './open-session.js';
import { type Query, queryText } from './query.js';
import { RateLimits } from './rate-limits.js';
import { SERVICE_USERS, type ServiceUsers } from './service-users.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, once the guard has let the request pass. */
    requester?: Requester;
    /** The session they ask in. */
    openSession?: OpenSession;
    /** The application service whose token the request has. */
    appService?: AppService;
    /** Whether the guard has run: it hangs on a route once for each of its decorators. */
    guarded?: boolean;
  }
}

/** What the decorators of a route ask of the guard. */
export interface DoorRules {
  authentication?: 'required' | 'optional';
  guests?: boolean;
  /** The class of the request, by which it is limited. */
  limit?: RateLimitClass;
  /** In the query `user_id` is whom the request is about: a service that asks is its sender. */
  asksAboutUser?: boolean;
  /** Not for an application service that speaks for somebody who is not its own. */
  ownersOnly?: boolean;
  /** For who administers this server. */
  adminsOnly?: boolean;
  /** Also for who is suspended, though it changes something. What only reads is for them in any case. */
  whileSuspended?: boolean;
  /** Also for whose account is locked. */
  whileLocked?: boolean;
  /** Also by a token that has expired, whose session is there still. */
  whileExpired?: boolean;
  /** Not for an application that has its session by the OAuth 2.0 API. */
  notByOAuth?: boolean;
  /** Not by a session that an authentication service keeps. */
  notOfAuthService?: boolean;
}

/** Where the decorators leave their rules: on the method of the controller, or on the controller. */
export const DOOR_RULES = Symbol.for('annals.DoorRules');

const NO_RULES: DoorRules = Object.freeze({});

/** The methods of requests that change nothing. */
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** The one guard of all doors: who asks, and whether they ask too often. In this order, whatever the order of decorators. */
@Injectable()
export class DoorGuard implements CanActivate {
  // PERF: the rules of a route are read from its metadata once, not for each request.
  readonly #rules = new Map<unknown, DoorRules>();

  constructor(
    @Inject(ACCESS_TOKENS) private readonly tokens: AccessTokens,
    private readonly limits: RateLimits,
    private readonly services: AppServices,
    @Inject(SERVICE_USERS) private readonly serviceUsers: ServiceUsers,
  ) {}

  /** Throws M_MISSING_TOKEN, M_UNKNOWN_TOKEN, M_USER_LOCKED, M_USER_SUSPENDED, M_CONSENT_NOT_GIVEN, M_GUEST_ACCESS_FORBIDDEN, M_FORBIDDEN or M_LIMIT_EXCEEDED, and as `ServiceUsers`. */
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    if (request.guarded === true) return true;
    request.guarded = true;
    const rules = this.#rulesOf(context);
    if (rules.authentication !== undefined) await this.#authenticate(request, rules);
    else if (rules.limit !== undefined) this.#noteAppService(request);
    if (rules.limit !== undefined && !isFreeOfLimits(request)) this.limits.checkRequest(rules.limit, request);
    return true;
  }

  async #authenticate(request: FastifyRequest, rules: DoorRules): Promise<void> {
    const token = findAccessToken(request);
    if (token === undefined) {
      if (rules.authentication === 'optional') return;
      throw new MatrixError('M_MISSING_TOKEN');
    }
    const service = this.services.findByToken(token);
    const requester =
      service === undefined
        ? await this.#holderOf(token, request, rules)
        : await this.#requesterFor(service, request, rules);
    checkRestriction(requester, rules, request.method);
    if (requester.isGuest === true && rules.guests !== true) throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN');
    if (rules.ownersOnly === true && speaksForSomebody(requester)) {
      throw new MatrixError('M_FORBIDDEN', 'An application service may not do this for a person');
    }
    if (rules.adminsOnly === true && !requester.isAdmin) {
      throw new MatrixError('M_FORBIDDEN', 'You do not administer this server');
    }
    if (rules.notByOAuth === true && requester.isOAuth === true) {
      throw new MatrixError('M_FORBIDDEN', 'Of this the user is asked at the account page, and not by an application');
    }
    if (rules.notOfAuthService === true && requester.isOfAuthService === true) {
      throw new MatrixError('M_FORBIDDEN', 'This is done at the authentication service, and not here');
    }
    // PERF: an object that is spread and then gets another key takes V8 ten times as long.
    request.requester = Object.assign({}, requester, { requestId: request.id });
    const validity = service === undefined ? this.tokens : { validUntil: () => this.#untilReplaced(token, requester) };
    request.openSession = new OpenSession(validity, token);
  }

  async #holderOf(token: string, request: FastifyRequest, rules: DoorRules): Promise<Requester> {
    try {
      return await this.tokens.requesterOf(token, request);
    } catch (error) {
      const hasExpired = error instanceof MatrixError && error.fields?.['soft_logout'] === true;
      if (!hasExpired || rules.whileExpired !== true) throw error;
      return this.tokens.holderOfExpired(token);
    }
  }

  /** Application service API, "Identity assertion". */
  async #requesterFor(service: AppService, request: FastifyRequest, rules: DoorRules): Promise<Requester> {
    request.appService = service;
    this.services.hear(service);
    const query = request.query as Query; // The router's parser makes no other form.
    const user = rules.asksAboutUser === true ? undefined : queryText(query, 'user_id');
    const device = queryText(query, 'device_id') ?? queryText(query, 'org.matrix.msc3202.device_id');
    const userId = user === undefined ? service.sender : parseUserId(user, serverNameOf(service.sender));
    const deviceId = device === undefined ? undefined : parseDeviceId(device);
    return this.serviceUsers.requesterFor(service, userId, deviceId);
  }

  /** A service's session goes on until its registration is taken away, or does not have it act as this user any more, or there is none. */
  async #untilReplaced(token: string, { userId, deviceId }: Requester): Promise<number> {
    const service = this.services.findByToken(token);
    if (service === undefined) throw new MatrixError('M_UNKNOWN_TOKEN');
    await this.serviceUsers.requesterFor(service, userId, deviceId === '' ? undefined : deviceId);
    return Infinity;
  }

  #noteAppService(request: FastifyRequest): void {
    if (this.services.all.length === 0) return;
    const token = findAccessToken(request);
    const service = token === undefined ? undefined : this.services.findByToken(token);
    if (service === undefined) return;
    request.appService = service;
    this.services.hear(service);
  }

  #rulesOf(context: ExecutionContext): DoorRules {
    const handler = context.getHandler();
    let rules = this.#rules.get(handler);
    if (rules === undefined) {
      rules = Object.freeze({ ...ownRules(context.getClass()), ...ownRules(handler) });
      this.#rules.set(handler, rules);
    }
    return rules;
  }
}

/** Throws M_USER_LOCKED, and as `refuseSuspended`. */
function checkRestriction(requester: Requester, rules: DoorRules, method: string): void {
  if (requester.isLocked === true && rules.whileLocked !== true) throw userLocked();
  if (rules.whileSuspended !== true && !READS.has(method)) refuseSuspended(requester);
}

/** Whether it is an application service that asks, as somebody who is not its own. */
function speaksForSomebody({ appServiceId, isServicesOwn, openedBy }: Requester): boolean {
  return openedBy !== undefined || (appServiceId !== undefined && isServicesOwn !== true);
}

function ownRules(target: object): DoorRules {
  return (Reflect.getMetadata(DOOR_RULES, target) as DoorRules | undefined) ?? NO_RULES;
}

/**
 * Application service API, "Registration", `rate_limited`: "The sender is excluded." So is what a service does as nobody: it registers its
 * users, and logs them in. But the passwords of people, as whom it may act, it guesses as seldom as anybody.
 */
function isFreeOfLimits(request: FastifyRequest): boolean {
  const { appService, requester } = request;
  if (appService === undefined) return false;
  if (requester === undefined) return isByService(request);
  return !appService.isLimitedAs(requester.userId);
}
