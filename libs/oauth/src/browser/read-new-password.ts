import type { Form } from '#http/browser/read-form';
import { MatrixError } from '#kernel/matrix-error';

/** The password that a form sets by a field; it is asked for once more, as nobody sees what they write. Throws M_INVALID_PARAM where the two differ. */
export function readNewPassword(form: Form, field: string): string {
  const password = form.get(field) ?? '';
  if (password !== form.get('repeated')) throw new MatrixError('M_INVALID_PARAM', 'The two new passwords differ');
  return password;
}
