import type { FastifyRequest } from 'fastify';
import type { AppService } from '#config/appservices/app-service';
import { MatrixError } from '#kernel/matrix-error';
import { findAccessToken } from './find-access-token.js';

/**
 * The application service whose token a request has, at doors of which only services have to say who they are (application service API,
 * "Server admin style permissions"). Throws M_MISSING_TOKEN, M_UNKNOWN_TOKEN.
 */
export function getAppService(request: FastifyRequest): AppService {
  if (request.appService !== undefined) return request.appService;
  throw new MatrixError(findAccessToken(request) === undefined ? 'M_MISSING_TOKEN' : 'M_UNKNOWN_TOKEN');
}
