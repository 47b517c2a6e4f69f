import { expect, it } from 'vitest';
import { PeerRefused, PeerUnavailable, reasonOf } from './peer-errors.js';

it.each([
  [new PeerRefused(403, { errcode: 'M_FORBIDDEN', error: 'bob@mail.example is not yours' }), '403 M_FORBIDDEN'],
  [new PeerRefused(403, { errcode: 'no to bob@mail.example' }), '403'],
  [new PeerRefused(502, {}), '502'],
  [new PeerUnavailable('It cannot be reached'), 'It cannot be reached'],
])('%s is in the log: %s', (error, reason) => expect(reasonOf(error)).toBe(reason));
