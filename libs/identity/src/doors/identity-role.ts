import { OnlyWhere } from '#http/only-where';

/** Where the paths of API v1 are, in which nobody says who they are. */
const IDENTITY_V1 = '/_matrix/identity/api/v1';

/** Where this server is no identity server the paths of one are none, nor are those of API v1 where it does not speak that. */
export const IdentityRole = OnlyWhere(({ identityRole }, path) =>
  path.startsWith(IDENTITY_V1) ? identityRole?.v1 === true : identityRole !== undefined,
);
