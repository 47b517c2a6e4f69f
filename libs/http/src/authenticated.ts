import { applyDecorators, createParamDecorator, type ExecutionContext, UseGuards } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { MatrixError } from '#kernel/matrix-error';
import type { Requester } from '#kernel/requester';
import { DOOR_RULES, DoorGuard, type DoorRules } from './door-guard.js';
import type { OpenSession } from './open-session.js';

type DoorDecorator = ClassDecorator & MethodDecorator;

/** Adds rules to a route or to all routes of a controller, and puts the guard before them. */
export function DoorRule(rules: DoorRules): DoorDecorator {
  return applyDecorators(withRules(rules), UseGuards(DoorGuard)) as DoorDecorator;
}

function withRules(rules: DoorRules): ClassDecorator & MethodDecorator {
  return (target: object, _key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    const holder: object = (descriptor?.value as object | undefined) ?? target;
    const before = Reflect.getOwnMetadata(DOOR_RULES, holder) as DoorRules | undefined;
    Reflect.defineMetadata(DOOR_RULES, { ...before, ...rules }, holder);
  };
}

/**
 * Only for holders of an access token: else 401 M_MISSING_TOKEN or M_UNKNOWN_TOKEN. Guests are refused with
 * M_GUEST_ACCESS_FORBIDDEN unless `guests` is true.
 */
export function Authenticated(options: { readonly guests?: boolean } = {}): DoorDecorator {
  return DoorRule({ authentication: 'required', guests: options.guests ?? false });
}

/** Of a door whose query names by `user_id` whom it is asked about, and not as whom an application service asks: that is then its sender. */
export function AsksAboutUser(): DoorDecorator {
  return DoorRule({ asksAboutUser: true });
}

/**
 * Only for whose account it is: the person, or the application service whose own it is. A service that speaks for somebody else is refused with
 * M_FORBIDDEN. For doors to what keeps an account and its keys, and to what tells of its devices.
 * NOTSPEC: the application service API knows no difference between users that a service made and people in its namespaces.
 */
export function OwnersOnly(): DoorDecorator {
  return DoorRule({ ownersOnly: true });
}

/**
 * Only for who administers this server, themself: others are refused with M_FORBIDDEN, and so is a service that speaks for them, before anything
 * of their request is looked at (client-server API, "Server Administration": "authorisation is checked prior to trying to do account lookups").
 * It has in it `@Authenticated()` and `@OwnersOnly()`.
 */
export function AdminsOnly(): DoorDecorator {
  return DoorRule({ authentication: 'required', guests: false, ownersOnly: true, adminsOnly: true });
}

/**
 * Also for who is suspended: of what changes something all else is refused them with M_USER_SUSPENDED. For doors to what the
 * specification lets them do ("Account suspension") and to what is theirs alone; where some of what a door does is not for them, its command says so.
 */
export function WhileSuspended(): DoorDecorator {
  return DoorRule({ whileSuspended: true });
}

/** Also for whose account is locked, to whom all else is refused with M_USER_LOCKED: client-server API, "Account locking". */
export function WhileLocked(): DoorDecorator {
  return DoorRule({ whileLocked: true, whileSuspended: true });
}

/**
 * Also by an access token that has expired: its session is there until it is ended, and who does not want it any more may have no other token
 * (client-server API, "Soft logout").
 */
export function WhileExpired(): DoorDecorator {
  return DoorRule({ whileExpired: true });
}

/**
 * Not for an application that has its session by the OAuth 2.0 API, which is refused with M_FORBIDDEN: user-interactive authentication is
 * nothing for it, its user does this at the account page (client-server API, "OAuth 2.0 API").
 */
export function NotByOAuth(): DoorDecorator {
  return DoorRule({ notByOAuth: true });
}

/**
 * Not by a session that an authentication service keeps, which is refused with M_FORBIDDEN: done here alone it would not last, for the
 * service knows nothing of it, and has this server do again what it knows.
 */
export function NotOfAuthService(): DoorDecorator {
  return DoorRule({ notOfAuthService: true });
}

/** A token is looked at where there is one (and must then be good), but not needed. Guests are welcome. */
export function OptionallyAuthenticated(): DoorDecorator {
  return DoorRule({ authentication: 'optional', guests: true });
}

/**
 * Who asks: a `Requester` behind `@Authenticated()`. Behind `@OptionallyAuthenticated()` use `@FindRequester()`. Throws
 * M_MISSING_TOKEN where nobody is known, so that a forgotten guard refuses rather than lets in.
 */
export const CurrentRequester = createParamDecorator((_: unknown, context: ExecutionContext): Requester => {
  const { requester } = context.switchToHttp().getRequest<FastifyRequest>();
  if (requester === undefined) throw new MatrixError('M_MISSING_TOKEN');
  return requester;
});

/** The session of `CurrentRequester`, for requests that take long. Throws M_MISSING_TOKEN where there is none. */
export const CurrentSession = createParamDecorator((_: unknown, context: ExecutionContext): OpenSession => {
  const { openSession } = context.switchToHttp().getRequest<FastifyRequest>();
  if (openSession === undefined) throw new MatrixError('M_MISSING_TOKEN');
  return openSession;
});

/** Who asks, or undefined where no token was given. */
export const FindRequester = createParamDecorator(
  (_: unknown, context: ExecutionContext): Requester | undefined =>
    context.switchToHttp().getRequest<FastifyRequest>().requester,
);
