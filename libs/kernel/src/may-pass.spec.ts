import { expect, it } from 'vitest';
import { MatrixError } from './matrix-error.js';
import { mayPass } from './may-pass.js';

it('what does not go for the moment may pass, and no other refusal, nor what is none', () => {
  const passing = [new MatrixError('M_UNKNOWN', 'away', { status: 503 }), new MatrixError('M_LIMIT_EXCEEDED')];
  for (const error of passing) expect(mayPass(error)).toBe(true);
  for (const error of [new MatrixError('M_FORBIDDEN'), new MatrixError('M_UNKNOWN'), new Error('no')])
    expect(mayPass(error)).toBe(false);
});
