import type { JsonObject } from './json.js';

/** errcode -> [HTTP status, default text]. The one catalogue of refusals; docs/errors.md mirrors it. */
export const ERRORS = {
  M_FORBIDDEN: [403, 'Forbidden'],
  M_UNKNOWN_TOKEN: [401, 'Unrecognised access token'],
  M_MISSING_TOKEN: [401, 'Missing access token'],
  M_UNAUTHORIZED: [401, 'The request is not signed by another server'],
  M_USER_LOCKED: [401, 'This account has been locked'],
  M_USER_SUSPENDED: [403, 'This account has been suspended'],
  M_USER_DEACTIVATED: [403, 'This account has been deactivated'],
  M_BAD_JSON: [400, 'The request body is not of the expected form'],
  M_NOT_JSON: [400, 'The request body is not valid JSON'],
  M_NOT_FOUND: [404, 'Not found'],
  M_LIMIT_EXCEEDED: [429, 'Too many requests'],
  M_UNRECOGNIZED: [404, 'Unrecognised request'],
  M_UNKNOWN: [500, 'Internal error'],
  M_USER_IN_USE: [400, 'User ID already taken'],
  M_INVALID_USERNAME: [400, 'Invalid user name'],
  M_EXCLUSIVE: [400, 'Reserved by an application service'],
  M_APPSERVICE_LOGIN_UNSUPPORTED: [400, 'Application services open no sessions here'],
  M_ROOM_IN_USE: [400, 'Room alias already taken'],
  M_INVALID_ROOM_STATE: [400, 'The initial state of the room is invalid'],
  M_UNSUPPORTED_ROOM_VERSION: [400, 'Unsupported room version'],
  M_INCOMPATIBLE_ROOM_VERSION: [400, 'Incompatible room version'],
  M_BAD_STATE: [400, 'Not possible in the current state'],
  M_GUEST_ACCESS_FORBIDDEN: [403, 'Guests may not do this'],
  M_MISSING_PARAM: [400, 'A required parameter is missing'],
  M_INVALID_PARAM: [400, 'A parameter is invalid'],
  M_UNKNOWN_DEVICE: [400, 'The user has no such device'],
  M_UNKNOWN_POS: [400, 'The position is not known: begin anew'],
  M_BAD_PAGINATION: [400, 'The pagination parameters are invalid'],
  M_TOO_LARGE: [413, 'Too large'],
  M_NOT_YET_UPLOADED: [504, 'The content has not been uploaded yet'],
  M_CANNOT_OVERWRITE_MEDIA: [409, 'The content has been uploaded already'],
  M_KEY_TOO_LARGE: [400, 'The key is too long'],
  M_PROFILE_TOO_LARGE: [400, 'The profile is too large'],
  M_WEAK_PASSWORD: [400, 'The password is too weak'],
  M_BAD_ALIAS: [400, 'The alias does not point to this room'],
  M_DUPLICATE_ANNOTATION: [400, 'Already annotated'],
  M_CANNOT_LEAVE_SERVER_NOTICE_ROOM: [403, 'This room cannot be left'],
  M_THREEPID_NOT_FOUND: [400, 'Third-party identifier not found'],
  M_THREEPID_IN_USE: [400, 'Third-party identifier already in use'],
  M_THREEPID_AUTH_FAILED: [403, 'The third-party identifier was not shown to be yours'],
  M_THREEPID_DENIED: [403, 'Third-party identifier is not allowed'],
  M_THREEPID_MEDIUM_NOT_SUPPORTED: [400, 'Third-party identifiers of this kind cannot be validated here'],
  M_INVALID_EMAIL: [400, 'This is no mail address'],
  M_INVALID_ADDRESS: [400, 'This is no phone number'],
  M_EMAIL_SEND_ERROR: [400, 'The mail could not be sent'],
  M_DESTINATION_REJECTED: [400, 'Messages are sent to no phones there'],
  M_SEND_ERROR: [400, 'The message could not be sent'],
  M_NO_VALID_SESSION: [404, 'There is no such validation session'],
  M_SESSION_NOT_VALIDATED: [400, 'It has not been shown yet that the identifier is yours'],
  M_SESSION_EXPIRED: [400, 'The validation session is over'],
  M_TOKEN_INCORRECT: [400, 'The token is incorrect'],
  M_INVALID_PEPPER: [400, 'The pepper is not the one of now'],
  M_CONSENT_NOT_GIVEN: [403, 'Please accept the terms of this server before'],
  M_TERMS_NOT_SIGNED: [403, 'Please accept the terms of this server before'],
  M_LOGIN_EMAIL_URL_NOT_YET: [401, 'The link in the mail has not been opened yet'],
  M_SERVER_NOT_TRUSTED: [400, 'Server not trusted'],
  M_INVITE_BLOCKED: [403, 'This user does not want to be invited'],
  M_USER_LIMIT_EXCEEDED: [403, 'A limit of this account was reached'],
  M_MAX_DELAY_EXCEEDED: [400, 'The event is to wait for too long'],
  'ORG.MATRIX.MSC4140_MAX_DELAY_EXCEEDED': [400, 'The event is to wait for too long'],
  IO_ELEMENT_MSC4388_CONCURRENT_WRITE: [409, 'Somebody else has written there meanwhile'],
  'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD': [400, 'The event is not in the thread'],
  'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION': [409, 'The thread was unsubscribed from after the event came'],
  M_URL_NOT_SET: [400, 'The application service has no URL'],
  M_BAD_STATUS: [502, 'The application service refused'],
  M_CONNECTION_FAILED: [502, 'The application service cannot be reached'],
  M_CONNECTION_TIMEOUT: [504, 'The application service does not answer'],
  M_WRONG_ROOM_KEYS_VERSION: [403, 'Wrong backup version'],
  M_UNABLE_TO_AUTHORISE_JOIN: [400, 'No known server can authorise this join'],
  M_INVALID_SIGNATURE: [400, 'A signature does not hold'],
  M_UNABLE_TO_GRANT_JOIN: [400, 'This server cannot authorise this join'],
} as const satisfies Record<string, readonly [number, string]>;

export type Errcode = keyof typeof ERRORS;

/** A refusal in the standard shape. Thrown anywhere below a door, turned into a response in one place. */
export class MatrixError extends Error {
  readonly status: number;

  constructor(
    readonly errcode: Errcode,
    message: string = ERRORS[errcode][1],
    options: { status?: number; fields?: JsonObject; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MatrixError';
    this.status = options.status ?? ERRORS[errcode][0];
    this.fields = options.fields;
  }

  /** Further keys of the body, such as `retry_after_ms` or the flows of user-interactive authentication. */
  readonly fields: JsonObject | undefined;

  /** The response body. */
  toBody(): JsonObject {
    return { ...this.fields, errcode: this.errcode, error: this.message };
  }
}
