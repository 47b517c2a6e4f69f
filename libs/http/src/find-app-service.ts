import type { FastifyRequest } from 'fastify';
import type { AppService } from '#config/appservices/app-service';
import { type Errcode, MatrixError } from '#kernel/matrix-error';
import { findAccessToken } from './find-access-token.js';
import { parseJsonObject } from './json-text.js';

/** How an application service says that it registers one of its users, or logs one in. */
export const BY_SERVICE = 'm.login.application_service';

/**
 * The application service whose token a request has, at doors of which only services have to say who they are (application service API,
 * "Server admin style permissions"). Throws M_MISSING_TOKEN, and `ofNobody` where the token is no service's.
 */
export function getAppService(request: FastifyRequest, ofNobody: Errcode = 'M_UNKNOWN_TOKEN'): AppService {
  if (request.appService !== undefined) return request.appService;
  throw new MatrixError(findAccessToken(request) === undefined ? 'M_MISSING_TOKEN' : ofNobody);
}

/** Whether a request registers a user of an application service, or logs one in, by the token of the service. */
export function isByService({ appService, body }: FastifyRequest): boolean {
  if (appService === undefined || !Buffer.isBuffer(body)) return false;
  try {
    return parseJsonObject(body)['type'] === BY_SERVICE;
  } catch {
    // The door says what is wrong with it.
    return false;
  }
}
