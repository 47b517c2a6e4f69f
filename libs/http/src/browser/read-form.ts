import type { FastifyRequest } from 'fastify';
import { MatrixError } from '#kernel/matrix-error';

const FORM = 'application/x-www-form-urlencoded';
const MOST_FIELDS = 64;

/** The fields of a form that was sent; each at most once. */
export type Form = ReadonlyMap<string, string>;

/** The body of a request as a form. Throws M_INVALID_PARAM where a field comes twice or there are too many, or it is none. */
export function readForm({ body, headers }: FastifyRequest): Form {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && type !== FORM) throw new MatrixError('M_INVALID_PARAM', `The body must be ${FORM}`);
  const form = new Map<string, string>();
  if (!Buffer.isBuffer(body)) return form;
  for (const [name, value] of new URLSearchParams(body.toString('utf8'))) {
    if (form.has(name)) throw new MatrixError('M_INVALID_PARAM', `${name}: given more than once`);
    if (form.size === MOST_FIELDS) throw new MatrixError('M_INVALID_PARAM', 'The form has too many fields');
    form.set(name, value);
  }
  return form;
}
